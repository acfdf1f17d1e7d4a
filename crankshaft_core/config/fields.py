"""The kinds of value that a configuration's fields are made of."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from crankshaft_core.config.shapes import is_table
from crankshaft_core.units import Seconds, parse_duration

__all__ = [
    "Attributes",
    "FreeKeys",
    "Interval",
    "LocalFile",
    "Regex",
    "Span",
    "StrictTable",
    "Texts",
    "cores",
    "interval",
    "one_as_many",
]

_NUMBER = re.compile(r"\d+(\.\d*)?|\.\d+")


class StrictTable(BaseModel):
    """A table of the configuration: frozen, closed, and silent about its values when one is wrong."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class LocalFile:
    """Marks a field as a path of this machine: a relative one stands relative to the file it is written in."""


class FreeKeys:
    """Marks a field whose table has keys of the writer's own."""


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def interval(value: object) -> object:
    """Seconds: a bare number, or text with a unit."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    return parse_duration(value)


def _regex(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"'{text}' is not a regular expression: {error}") from None
    return text


def one_as_many(value: object) -> object:
    """A list of the one text that stands where a list may stand."""
    return (value,) if isinstance(value, str) else value


def _as_texts(value: object) -> object:
    if not is_table(value):
        return value
    return {key: _as_text(item) for key, item in value.items()}


def _as_text(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (int, float)) else value


Span = Annotated[Seconds, Field(ge=0)]
"""A duration with a unit ("30s", "1h")."""

Interval = Annotated[float, BeforeValidator(interval), Field(gt=0, allow_inf_nan=False)]
"""A duration with a unit, or a bare number of seconds, as Crankshaft's `monitor_frequency` has always been."""

Regex = Annotated[str, AfterValidator(_regex)]
"""A regular expression of Python's `re`."""

Texts = Annotated[tuple[str, ...], BeforeValidator(one_as_many)]
"""One text, or a list of them."""

Attributes = Annotated[Mapping[str, str], BeforeValidator(_as_texts)]
"""Texts under names of the writer's own; numbers and booleans are taken as text."""
