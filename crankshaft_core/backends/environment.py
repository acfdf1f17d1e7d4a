"""Variables that the configuration of a backend gives to its tasks."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from crankshaft_core.config import Environment

__all__ = ["configured_env", "is_kept_back"]


def configured_env(environment: Environment, caller: Mapping[str, str]) -> dict[str, str]:
    """Those of the caller's that are passed on, and those that are set."""
    if not environment.allow:
        return dict(environment.values)
    allowed = {
        name: value
        for name, value in caller.items()
        if _matches(name, environment.allow) and not is_kept_back(name, environment)
    }
    return {**allowed, **environment.values}


def is_kept_back(name: str, environment: Environment) -> bool:
    """The caller's variable of that name reaches no task."""
    return _matches(name, environment.deny)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
