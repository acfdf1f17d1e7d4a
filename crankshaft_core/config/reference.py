"""The fields of every kind as a Markdown table, for the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import cast

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from crankshaft_core.config.common import CommonConfig, Retry
from crankshaft_core.config.descriptions import descriptions
from crankshaft_core.config.docker import Mount
from crankshaft_core.config.fields import cores
from crankshaft_core.config.generic import Locale, Queue, Reasons, States, SubmitErrors, VerdictPatterns
from crankshaft_core.config.kinds import KINDS
from crankshaft_core.config.tes import BasicAuth, BearerAuth, HeaderAuth, Http, Storage
from crankshaft_core.task import Resources

__all__ = ["reference"]


def reference() -> str:
    """Markdown: a table of the common fields, one for each kind, and one for each table that several lines need."""
    parts = [_section("Every kind", CommonConfig, CommonConfig.model_fields)]
    parts += [_section(f'`kind = "{kind}"`', model, _own(model)) for kind, model in KINDS.items()]
    parts += [_section(f"`{name}`", model, _untyped(model)) for name, model in _TABLES.items()]
    return "\n".join(parts)


_TABLES: Mapping[str, type[BaseModel]] = {
    "defaults": Resources,
    "retry": Retry,
    "locale": Locale,
    "queues": Queue,
    "states": States,
    "reasons": Reasons,
    "verdict": VerdictPatterns,
    "submit_errors": SubmitErrors,
    "mounts": Mount,
    "http": Http,
    'auth`, `type = "basic"': BasicAuth,
    'auth`, `type = "bearer"': BearerAuth,
    'auth`, `type = "header"': HeaderAuth,
    "storage": Storage,
}
"""By the key that holds it. `kind` and `type` themselves are told where they are chosen."""


def _own(model: type[CommonConfig]) -> list[str]:
    """The fields that not every kind has, and those that are something else here."""
    common = CommonConfig.model_fields
    return [
        name
        for name, field in model.model_fields.items()
        if name != "kind" and (name not in common or _default(field) != _default(common[name]))
    ]


def _untyped(model: type[BaseModel]) -> list[str]:
    return [name for name in model.model_fields if name != "type"]


def _section(title: str, model: type[BaseModel], fields: Iterable[str]) -> str:
    rows = "\n".join(_rows(model, fields))
    return f"## {title}\n\n| Field | Meaning | Default |\n|---|---|---|\n{rows}\n"


def _rows(model: type[BaseModel], fields: Iterable[str]) -> Iterator[str]:
    texts = descriptions(model)
    if model is CommonConfig:
        yield '| `kind` | `"Docker"`, `"TES"` or `"Generic"`. | that of the preset |'
        yield "| `extends` | Name of another backend, to start from its fields. |  |"
    for name in fields:
        meaning = texts.get(name, "").replace("|", "\\|")
        yield f"| `{name}` | {meaning} | {_default(model.model_fields[name])} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default_factory is cores:
        return "as many as cores"
    value = field.get_default(call_default_factory=False)
    if field.default_factory is not None or value is None or isinstance(value, BaseModel) or value == ():
        return ""
    if isinstance(value, tuple):
        return "`[" + ", ".join(f'"{item}"' for item in cast("tuple[object, ...]", value)) + "]`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, (int, float)) else f'`"{value}"`'
