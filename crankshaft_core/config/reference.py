"""The fields of every kind as a Markdown table, for the documentation."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from crankshaft_core.config.common import CommonConfig
from crankshaft_core.config.descriptions import descriptions
from crankshaft_core.config.fields import cores
from crankshaft_core.config.generic import Locale, Queue
from crankshaft_core.config.kinds import KINDS
from crankshaft_core.config.tes import Http
from crankshaft_core.task import Resources

__all__ = ["reference"]


def reference() -> str:
    """Markdown: a table of the common fields, one for each kind, and one for each table that several lines need."""
    common = frozenset({*CommonConfig.model_fields, "kind"})
    parts = [_section("Every kind", CommonConfig, frozenset())]
    parts += [_section(f'`kind = "{kind}"`', model, common) for kind, model in KINDS.items()]
    tables: dict[str, type[BaseModel]] = {"defaults": Resources, "http": Http, "locale": Locale, "queues": Queue}
    parts += [_section(f"`{name}`", model, frozenset()) for name, model in tables.items()]
    return "\n".join(parts)


def _section(title: str, model: type[BaseModel], without: frozenset[str]) -> str:
    rows = "\n".join(_rows(model, without))
    return f"**{title}**\n\n| Field | Meaning | Default |\n|---|---|---|\n{rows}\n"


def _rows(model: type[BaseModel], without: frozenset[str]) -> Iterator[str]:
    texts = descriptions(model)
    if model is CommonConfig:
        yield '| `kind` | `"Docker"`, `"TES"` or `"Generic"`. | that of the preset |'
        yield "| `extends` | Name of another backend, to start from its fields. |  |"
    for name, field in model.model_fields.items():
        if name not in without:
            meaning = texts.get(name, "").replace("|", "\\|")
            yield f"| `{name}` | {meaning} | {_default(field)} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default_factory is cores:
        return "as many as cores"
    value = field.get_default(call_default_factory=False)
    if field.default_factory is not None or value is None or isinstance(value, BaseModel) or value == ():
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, (int, float)) else f'`"{value}"`'
