"""Environments of software that are active here, and whether a job is given them."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

__all__ = ["left_behind"]


def left_behind(caller: Mapping[str, str], given: Mapping[str, str], *, prologue: str) -> str:
    """The environment that is active for the caller, and that neither variables nor the prologue bring; else empty."""
    for prefix, kind, name in _active(caller):
        bin_directory = posixpath.join(prefix, "bin")
        if bin_directory not in given.get("PATH", "").split(":") and name not in prologue:
            return f"{kind} {name!r}"
    return ""


def _active(caller: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """The directory, the kind and the name of each; what was activated last comes first."""
    found: list[tuple[str, str, str]] = []
    if prefix := caller.get("VIRTUAL_ENV"):
        found.append((prefix, "Virtual environment", posixpath.basename(prefix)))
    if prefix := caller.get("CONDA_PREFIX"):
        name = caller.get("CONDA_DEFAULT_ENV") or posixpath.basename(prefix)
        found.append((prefix, "Conda env", posixpath.basename(name)))
    return found
