"""A task from one flat set of fields, as options and the short form of a tasks file give it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from crankshaft_core.config.spelling import did_you_mean
from crankshaft_core.errors import ConfigError
from crankshaft_core.task import Execution, Resources, Task

__all__ = ["problems", "task_from_fields"]

_EXECUTION = frozenset(Execution.model_fields)
_RESOURCES = frozenset(Resources.model_fields)
_TASK = frozenset(Task.model_fields) - {"executions", "resources"}
_KNOWN = _EXECUTION | _RESOURCES | _TASK


def task_from_fields(fields: Mapping[str, object], *, label: Callable[[str], str] = str) -> Task:
    """The task of one execution that `fields` describe, each key being one of Task, Execution or Resources.

    `cwd` is `work_dir`, as it is on the command line. Raises ConfigError with all problems, in which `label`
    names a field.
    """
    names = {("work_dir" if key == "cwd" else key): key for key in fields}
    if len(names) < len(fields):
        raise ConfigError("cwd and work_dir are the same; give one of them")
    unknown = [f"unknown key {key!r}{_meant(key)}" for name, key in names.items() if name not in _KNOWN]

    def some(part: Iterable[str]) -> dict[str, object]:
        return {name: fields[key] for name, key in names.items() if name in part}

    document = {**some(_TASK), "executions": [some(_EXECUTION)], "resources": some(_RESOURCES)}
    try:
        task = Task.model_validate(document)
    except ValidationError as error:
        raise ConfigError([*unknown, *problems(error, label=label, flat=True)]) from None
    if unknown:
        raise ConfigError(unknown)
    return task


def problems(error: ValidationError, *, label: Callable[[str], str] = str, flat: bool = False) -> list[str]:
    """Each of pydantic's findings as one line: the field, what is wrong, and what was given.

    `flat`: fields are named as those of a flat set, which has no executions and no resources to be in.
    """
    details = error.errors(include_url=False)
    # An execution that is wrong is left out before the executions are counted: its own problem is the one to tell.
    inside = any(len(detail["loc"]) > 1 and detail["loc"][0] == "executions" for detail in details)
    details = [detail for detail in details if not (inside and detail["loc"] == ("executions",))]
    return [_line(detail, label, skip=_depth(detail) if flat else 0) for detail in details]


def _depth(detail: ErrorDetails) -> int:
    return {"executions": 2, "resources": 1}.get(str(detail["loc"][0]), 0) if detail["loc"] else 0


def _line(detail: ErrorDetails, label: Callable[[str], str], *, skip: int) -> str:
    path, said = detail["loc"][skip:], _said(detail)
    if not path:
        return said
    place = label(str(path[0])) + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path[1:])
    return f"{place}: {said}"


_WANTED = {
    "string_type": "must be text",
    "tuple_type": "must be a list",
    "dict_type": "must be an object",
    "mapping_type": "must be an object",
    "model_type": "must be an object",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "finite_number": "must be finite",
    "greater_than": "must be greater than 0",
    "greater_than_equal": "must not be negative",
}


def _said(detail: ErrorDetails) -> str:
    context, key = detail.get("ctx", {}), str(detail["loc"][-1]) if detail["loc"] else ""
    if "error" in context:
        return str(context["error"])
    if detail["type"] == "missing":
        return "is missing"
    if detail["type"] == "extra_forbidden":
        return f"unknown key{_meant(key)}"
    if key == "command" and isinstance(detail["input"], list):
        return 'is shell text; a list goes into "program" (its first word) and "args" (the others)'
    wanted = _WANTED.get(detail["type"], detail["msg"][:1].lower() + detail["msg"][1:])
    return wanted if "env" in detail["loc"] else f"{wanted}, not {_short(detail['input'])}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _meant(key: str) -> str:
    return did_you_mean(key, _KNOWN | {"backend", "cwd"})
