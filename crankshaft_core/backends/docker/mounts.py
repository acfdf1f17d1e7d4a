"""What is put into containers from this machine: roots, inputs and the configured mounts. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crankshaft_core.backends.base import StagedInput
from crankshaft_core.backends.docker.layout import Layout, beneath, resolve
from crankshaft_core.config.docker import Mount

__all__ = ["Placement", "bound", "configured", "input_file", "place", "root_directory", "shared"]


@dataclass(frozen=True, slots=True)
class Placement:
    """An input, and the path in the containers at which it is wanted."""

    number: int
    target: str
    staged: StagedInput
    blended: bool
    """It is a directory that the task also writes to, so its files are copied among the task's own."""

    @property
    def in_place(self) -> bool:
        """The file itself is mounted; else the task gets a copy of its own."""
        return self.staged.file is not None and self.staged.input.read_only and not self.blended


def place(inputs: Sequence[StagedInput], base: str | None, written: Collection[str]) -> tuple[Placement, ...]:
    """Where the inputs of a task go that also writes to the directories `written`."""
    targets = [resolve(staged.input.path, base) for staged in inputs]
    return tuple(
        Placement(
            number, target, staged, blended=staged.input.type == "DIRECTORY" and _shares(target, targets, written)
        )
        for number, (target, staged) in enumerate(zip(targets, inputs, strict=True))
    )


def bound(layout: Layout, placements: Sequence[Placement], directory: Path) -> list[dict[str, Any]]:
    """Bind mounts of the roots and inputs, from an attempt's `directory` on the engine's machine."""
    roots = [_mount("bind", root_directory(directory, n), root) for n, root in enumerate(layout.roots)]
    inputs = [
        _mount("bind", input_file(item, directory), item.target, read_only=item.staged.input.read_only)
        for item in placements
        if not item.blended
    ]
    return roots + inputs


def shared(layout: Layout, names: Sequence[str]) -> list[dict[str, Any]]:
    """Volumes called `names` in place of the roots, for an engine that cannot see this machine's files."""
    return [_mount("volume", name, root) for name, root in zip(names, layout.roots, strict=True)]


def configured(mounts: Sequence[Mount]) -> list[dict[str, Any]]:
    """The mounts of the configuration: paths of the engine's machine, or names of volumes."""
    return [
        _mount("bind" if item.source.startswith("/") else "volume", item.source, item.target, read_only=item.read_only)
        for item in mounts
    ]


def root_directory(directory: Path, number: int) -> Path:
    """Where a root is in an attempt's directory."""
    return directory / "files" / str(number)


def input_file(item: Placement, directory: Path) -> Path:
    """What is mounted for an input: the file itself, or the copy in the attempt's directory."""
    if item.in_place and item.staged.file is not None:
        return item.staged.file.resolve()
    return directory / "inputs" / str(item.number)


def _shares(target: str, targets: Sequence[str], written: Collection[str]) -> bool:
    others = [path for path in targets if path != target]
    return any(beneath(path, target) for path in (*others, *written))


def _mount(kind: str, source: Path | str, target: str, *, read_only: bool = False) -> dict[str, Any]:
    return {"Type": kind, "Source": str(source), "Target": target, "ReadOnly": read_only}
