"""The presets that come with the package: tables of fields for the Generic kind, one file each."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from crankshaft_core.config.documents import tidy
from crankshaft_core.config.tree import Origin, Problem, Table, locate

__all__ = ["preset", "preset_names"]


@cache
def preset_names() -> tuple[str, ...]:
    """The presets there are, sorted."""
    return tuple(
        sorted(entry.name.removesuffix(".toml") for entry in _folder().iterdir() if entry.name.endswith(".toml"))
    )


@cache
def preset(name: str) -> Table | None:
    """The fields of the preset; None if there is none of this name."""
    if name not in preset_names():
        return None
    data = tomllib.loads((_folder() / f"{name}.toml").read_text(encoding="utf-8"))
    origin = Origin(f"preset {name}")
    tree = locate({"kind": "Generic", **data}, {}, origin)
    assert isinstance(tree, Table)
    return tidy(tree, where=f"preset {name}", base=Path("/"), report=_broken)


def _folder() -> Traversable:
    return files("crankshaft_core") / "backends" / "presets"


def _broken(problem: Problem) -> None:
    raise AssertionError(str(problem))  # the package's own file, and its tests load each
