"""What plain data is made of, told in a way that type checkers follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeGuard

__all__ = ["is_list", "is_table"]


def is_table(value: object) -> TypeGuard[Mapping[str, object]]:
    """A table: its keys are text in every format we read."""
    return isinstance(value, Mapping)


def is_list(value: object) -> TypeGuard[Sequence[object]]:
    """A list, and no text."""
    return isinstance(value, (list, tuple))
