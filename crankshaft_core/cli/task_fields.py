"""A task from one flat set of fields, as options and the short form of a tasks file give it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from crankshaft_core.errors import ConfigError
from crankshaft_core.task import Execution, Resources, Task

__all__ = ["meant", "problems", "task_from_fields"]

_EXECUTION = frozenset(Execution.model_fields)
_RESOURCES = frozenset(Resources.model_fields)
_TASK = frozenset(Task.model_fields) - {"executions", "resources"}
_SYNONYMS = {
    "cwd": "work_dir",
    "workdir": "work_dir",
    "mem": "ram",
    "memory": "ram",
    "cpus": "cpu",
    "cores": "cpu",
    "threads": "cpu",
    "walltime": "time",
    "runtime": "time",
    "gpus": "gpu",
    "cmd": "command",
    "container": "image",
    "environment": "env",
}


def task_from_fields(fields: Mapping[str, object], *, label: Callable[[str], str] = str) -> Task:
    """The task of one execution that `fields` describe, each key being one of Task, Execution or Resources.

    `cwd` is `work_dir`, as it is on the command line. Raises ConfigError with all problems, in which `label`
    names a field.
    """
    names = {("work_dir" if key == "cwd" else key): key for key in fields}
    unknown = [f"unknown key {key!r}{meant(key)}" for name, key in names.items() if name not in _KNOWN]

    def some(part: Iterable[str]) -> dict[str, object]:
        return {name: fields[key] for name, key in names.items() if name in part}

    document = {**some(_TASK), "executions": [some(_EXECUTION)], "resources": some(_RESOURCES)}
    try:
        task = Task.model_validate(document)
    except ValidationError as error:
        raise ConfigError([*unknown, *problems(error, label=label)]) from None
    if unknown:
        raise ConfigError(unknown)
    return task


_KNOWN = _EXECUTION | _RESOURCES | _TASK


def meant(key: str) -> str:
    """`; did you mean 'ram'?`, where a known key is near or the same by another name."""
    synonym = _SYNONYMS.get(key.lower())
    near = [synonym] if synonym else get_close_matches(key, sorted(_KNOWN | {"backend", "cwd"}), n=1)
    return f"; did you mean {near[0]!r}?" if near and near[0] != key else ""


def problems(error: ValidationError, *, label: Callable[[str], str] = str) -> list[str]:
    """Each of pydantic's findings as one line: the field, what is wrong, and what was given."""
    details = error.errors(include_url=False)
    # An execution that is wrong is left out before the executions are counted: its own problem is the one to tell.
    inside = any(len(detail["loc"]) > 1 and detail["loc"][0] == "executions" for detail in details)
    return [_line(detail, label) for detail in details if not (inside and detail["loc"] == ("executions",))]


def _line(detail: ErrorDetails, label: Callable[[str], str]) -> str:
    path = list(detail["loc"])
    if path[:2] == ["executions", 0]:
        path = path[2:]
    elif path[:1] == ["resources"]:
        path = path[1:]
    said = _said(detail)
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
        return f"unknown key{meant(key)}"
    if key == "command" and isinstance(detail["input"], list):
        return 'is shell text; a list goes into "program" (its first word) and "args" (the others)'
    wanted = _WANTED.get(detail["type"], detail["msg"][:1].lower() + detail["msg"][1:])
    return wanted if "env" in detail["loc"] else f"{wanted}, not {_short(detail['input'])}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
