"""Which variables reach the tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from crankshaft_core.config.fields import FreeKeys, StrictTable
from crankshaft_core.config.shapes import is_list, is_table

__all__ = ["Environment", "EnvironmentField"]


class Environment(StrictTable):
    """What of the caller's environment reaches the tasks, and what is set there besides."""

    allow: tuple[str, ...] | None = None
    """Names, with `*` and `?`, of the variables passed on; None: what the adapter passes by itself."""
    deny: tuple[str, ...] = ()
    """Names, with `*` and `?`, of those kept back in any case."""
    values: Mapping[str, str] = Field(default_factory=dict, repr=False)
    """Set in every task; a task's own value wins."""


def _read(value: object) -> object:
    if isinstance(value, str):
        return _from_names((value,))
    if is_list(value):
        return _from_names(value)
    if is_table(value):
        return _from_table(value)
    return value


def _from_names(names: Sequence[object]) -> Environment:
    for name in names:
        if not isinstance(name, str) or not name:
            raise ValueError(f"{name!r} is not the name of a variable")
        if "=" in name:
            key, _, text = name.partition("=")
            raise ValueError(f"{name!r} is not the name of a variable; to set it, write env = {{ {key} = {text!r} }}")
    return Environment(allow=tuple(map(str, names)))


def _from_table(table: Mapping[str, object]) -> Environment:
    texts: dict[str, str] = {}
    passed: dict[str, bool] = {}
    for name, value in table.items():
        if isinstance(value, bool):
            passed[name] = value
        elif isinstance(value, (str, int, float)):
            texts[name] = str(value)
        else:
            raise ValueError(f"{name} is neither text nor true (pass it on) nor false (keep it back)")  # noqa: TRY004 (pydantic reports ValueErrors)
    allow = tuple(name for name, on in passed.items() if on)
    return Environment(allow=allow or None, deny=tuple(n for n, on in passed.items() if not on), values=texts)


def _written(environment: Environment) -> object:
    """The short form it is read from."""
    if environment.allow is not None and not environment.deny and not environment.values:
        return list(environment.allow)
    passed = {**dict.fromkeys(environment.allow or (), True), **dict.fromkeys(environment.deny, False)}
    return {**passed, **environment.values}


EnvironmentField = Annotated[
    Environment,
    FreeKeys(),
    BeforeValidator(_read),
    PlainSerializer(_written),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}},
                {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}},
            ]
        }
    ),
]
"""Written as a list of names (`["PATH", "LC_*"]`), or as a table of values in which `true` passes a variable on and
`false` keeps it back (`{ PATH = true, OMP_NUM_THREADS = "1" }`)."""
