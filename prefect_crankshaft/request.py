"""What one call asks for: the runner's settings, the function's own, and those of the context it was submitted in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from crankshaft_core.errors import ConfigError
from crankshaft_core.task import Resources
from prefect_crankshaft.options import Options, asked_of, in_force, resources_of

__all__ = ["Request", "requested"]


@dataclass(frozen=True, slots=True)
class Request:
    """Calls of equal requests may share a job."""

    backend: str
    image: str | None
    python: str | None
    env: tuple[tuple[str, str], ...]
    attributes: tuple[tuple[str, str], ...]
    resources: Resources
    batch: int


def requested(function: object, defaults: Options, *, backend: str, attempt: int) -> Request:
    """The request of this function's call, now. `env` and `attributes` are overlaid name by name."""
    layers = (defaults, asked_of(function), in_force())
    options: dict[str, object] = {}
    for layer in layers:
        options.update({name: value for name, value in layer.items() if value is not None})
    batch = options.get("batch", 1)
    assert isinstance(batch, int)
    return Request(
        backend=_text(options, "backend") or backend,
        image=_text(options, "image"),
        python=_text(options, "python"),
        env=_overlaid(layers, "env"),
        attributes=_overlaid(layers, "attributes"),
        resources=resources_of(options, attempt=attempt),
        batch=batch,
    )


def _text(options: Options, name: str) -> str | None:
    value = options.get(name)
    return None if value is None else str(value)


def _overlaid(layers: tuple[Options, ...], name: str) -> tuple[tuple[str, str], ...]:
    merged: dict[str, str] = {}
    for layer in layers:
        given: object = layer.get(name) or {}
        if not isinstance(given, Mapping):
            raise ConfigError(f"crankshaft option {name}: {given!r} is not a table of names and values")
        values = cast("Mapping[object, object]", given)
        merged.update({str(key): str(value) for key, value in values.items()})
    return tuple(sorted(merged.items()))
