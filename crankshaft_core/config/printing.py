"""The configuration as it would be written: plain data, and TOML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from crankshaft_core.config.kinds import BackendConfig
from crankshaft_core.config.layout import Path, layout
from crankshaft_core.config.shapes import is_list, is_table
from crankshaft_core.config.tree import Origin

__all__ = ["as_written", "toml"]


def as_written(backend: BackendConfig) -> dict[str, Any]:
    """What was given of a backend, secrets hidden, in a form that can be read again."""
    given = backend.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    return {"name": backend.name, "kind": backend.kind, **{key: _with_units(given[key], (key,)) for key in given}}


def toml(written: Mapping[str, Any], origins: Mapping[str, Origin]) -> str:
    """TOML of what `Config.redacted` gives, each value followed by its place where `origins` knows it."""
    lines: list[str] = []
    if "default" in written:
        lines += [_line("default", written["default"], "default", origins), ""]
    for backend in written["backends"]:
        lines += ["[[backends]]", *_table(backend, ("backends",), f"backends.{backend['name']}", origins), ""]
    return "\n".join(lines)


def _with_units(value: Any, path: Path) -> Any:
    place = layout().get(path)
    if place is not None and place.duration and isinstance(value, float):
        return f"{Decimal(repr(value)).normalize():f}s"
    if is_list(value):
        return [_with_units(item, path) for item in value]
    if is_table(value):
        return {key: _with_units(item, (*path, key)) for key, item in value.items()}
    return value


def _table(table: Mapping[str, Any], header: Path, path: str, origins: Mapping[str, Origin]) -> Iterator[str]:
    """The simple entries first, since what follows a header belongs to it."""
    nested = [key for key, value in table.items() if is_table(value) and len(value) > 1]
    for key, value in table.items():
        if key not in nested:
            yield _line(key, value, f"{path}.{key}", origins)
    for key in nested:
        below = (*header, key)
        yield f"[{'.'.join(map(_key, below))}]"
        yield from _table(table[key], below, f"{path}.{key}", origins)


def _line(key: str, value: Any, path: str, origins: Mapping[str, Origin]) -> str:
    place = origins.get(path) or next((origins[known] for known in origins if known.startswith(f"{path}.")), None)
    return f"{_key(key)} = {_value(value)}" + (f"  # {place}" if place else "")


def _value(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return str(value).lower()
    if is_table(value):
        inner = ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if is_list(value):
        return _list(value)
    return repr(value)


def _list(values: Sequence[object]) -> str:
    return f"[{', '.join(map(_value, values))}]"


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _value(key)
