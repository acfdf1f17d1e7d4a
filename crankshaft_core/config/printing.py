"""A backend as it would be written, and as it may be shown to anybody."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from crankshaft_core.config.kinds import BackendConfig
from crankshaft_core.config.layout import Path, layout
from crankshaft_core.config.options import is_telling
from crankshaft_core.config.secrets import HIDDEN
from crankshaft_core.config.shapes import is_list, is_table

__all__ = ["as_written"]

_PASSWORD_IN_URL = re.compile(r"(?<=://)([^/@:\s]*):[^/@\s]+@")


def as_written(backend: BackendConfig) -> dict[str, Any]:
    """What was given of a backend, secrets hidden, in a form that can be read again."""
    given = backend.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    return {"name": backend.name, "kind": backend.kind, **{key: _shown(given[key], (key,)) for key in given}}


def _shown(value: Any, path: Path) -> Any:
    if is_table(value):
        return {key: _shown(item, (*path, key)) for key, item in value.items()}
    if is_list(value):
        return [_shown(item, path) for item in value]
    place = layout().get(path)
    if place is not None and place.duration and isinstance(value, float):
        return f"{Decimal(repr(value)).normalize():f}s"
    if isinstance(value, str):
        return HIDDEN if path[0] == "env" and is_telling(path[-1]) else _PASSWORD_IN_URL.sub(rf"\1:{HIDDEN}@", value)
    return value
