"""What a job was given where it ran."""

from __future__ import annotations

from dataclasses import dataclass, field

from crankshaft_core.task import Resources

__all__ = ["Given"]


@dataclass(frozen=True, slots=True)
class Given:
    """Of a job that was started."""

    resources: Resources = field(default_factory=Resources)
    """What its backend was asked for, defaults included."""
    variables: frozenset[str] = frozenset()
    """The names of the environment variables that came from here."""
    image: str | None = None
