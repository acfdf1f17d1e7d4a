"""Objects of the Engine API, as they come and go. Absent and null mean the same there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["Json", "part", "parts", "texts"]

Json = Mapping[str, Any]


def part(whole: Json, key: str) -> Json:
    """The object under `key`; an empty one if there is none."""
    found: Json | None = whole.get(key)
    return found or {}


def parts(whole: Json, key: str) -> Sequence[Json]:
    """The list of objects under `key`."""
    found: Sequence[Json] | None = whole.get(key)
    return found or ()


def texts(whole: Json, key: str) -> Sequence[str]:
    """The list of texts under `key`."""
    found: Sequence[object] | None = whole.get(key)
    return [str(item) for item in found or ()]
