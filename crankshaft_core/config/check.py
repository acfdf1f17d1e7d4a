"""From a merged table to a backend's model, with every problem in words."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from crankshaft_core.config.documents import Report
from crankshaft_core.config.kinds import KINDS, BackendConfig
from crankshaft_core.config.layout import Path, layout
from crankshaft_core.config.placeholders import TEMPLATES, memory_mistake, unknown_placeholders
from crankshaft_core.config.spelling import kind_hint
from crankshaft_core.config.tree import Leaf, Problem, Table, find, plain
from crankshaft_core.config.wording import message
from crankshaft_core.errors import ConfigError

__all__ = ["check", "warnings"]


def check(name: str, table: Table, report: Report) -> BackendConfig | None:
    """The backend, or None when something is wrong with it, all of which is reported."""
    kind = _kind(name, table, report)
    if kind is None:
        return None
    problems = [*_numbers(name, table, kind), *_templates(name, table, kind)]
    told = {problem.path for problem in problems}
    try:
        backend = KINDS[kind].model_validate(plain(table))
    except ValidationError as error:
        # an error is told once, and without pydantic's own, whose text may hold what was written
        problems += [p for p in (_problem(name, table, kind, e) for e in error.errors()) if p.path not in told]
    else:
        if not problems:
            return backend
    for problem in problems:
        report(problem)
    return None


def warnings(name: str, table: Table) -> Iterator[str]:
    """What loads as it is written, and is probably not meant."""
    for field in TEMPLATES:
        node = table.entries.get(field)
        mistake = memory_mistake(node.value) if isinstance(node, Leaf) and isinstance(node.value, str) else None
        if node is not None and mistake:
            yield str(Problem(node.origin, f"backends.{name}.{field}", mistake))
    if "job_id_regex" not in table.entries and table.entries.get("kind") is not None:
        for field in ("monitor", "monitor_all", "kill"):
            node = table.entries.get(field)
            if node is not None:
                said = "is not used: without job_id_regex the submit command is the work itself"
                yield str(Problem(node.origin, f"backends.{name}.{field}", said))


def _kind(name: str, table: Table, report: Report) -> str | None:
    node = table.entries.get("kind")
    known = ", ".join(sorted(KINDS))
    if node is None:
        report(Problem(table.origin, f"backends.{name}.kind", f"missing; known: {known}"))
        return None
    kind = plain(node)
    if isinstance(kind, str) and kind in KINDS:
        return kind
    hint = kind_hint(kind) if isinstance(kind, str) else f"; known: {known}"
    report(Problem(node.origin, f"backends.{name}.kind", f"unknown kind {kind!r}{hint}"))
    return None


def _numbers(name: str, table: Table, kind: str) -> Iterator[Problem]:
    """pydantic would take true for the number 1, and "inf" for a number as well."""
    for path, place in layout(kind).items():
        node, reached = find(table, path)
        if place.number and reached == path and isinstance(node, Leaf):
            text = str(node.value).strip().lower()
            if isinstance(node.value, bool) or text.lstrip("+-") in {"inf", "infinity", "nan"}:
                yield Problem(node.origin, _dotted(name, path), f"{text} is not a number")


def _templates(name: str, table: Table, kind: str) -> Iterator[Problem]:
    attributes = table.entries.get("attributes")
    known = set(attributes.entries) if isinstance(attributes, Table) else set[str]()
    for field in TEMPLATES if kind == "Generic" else ():
        node = table.entries.get(field)
        if isinstance(node, Leaf) and isinstance(node.value, str):
            for said in (*_unreadable(field, node.value), *unknown_placeholders(node.value, known)):
                yield Problem(node.origin, _dotted(name, (field,)), said)


def _unreadable(field: str, template: str) -> Iterator[str]:
    # the one thing of a backend that is asked here, and late: backends import the configuration
    from crankshaft_core.backends.generic.template import Template

    try:
        Template.parse(template, label=field)
    except ConfigError as error:
        yield str(error).removeprefix(f"{field}, ")


def _problem(name: str, table: Table, kind: str, error: ErrorDetails) -> Problem:
    node, reached = find(table, error["loc"])
    missing = (str(error["loc"][-1]),) if error["type"] == "missing" else ()
    path: Path = tuple(str(part) for part in (*reached, *missing))
    return Problem(node.origin, _dotted(name, (*reached, *missing)), message(error, kind=kind, path=path))


def _dotted(name: str, path: tuple[str | int, ...]) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in path]
    return f"backends.{name}{''.join(parts)}"
