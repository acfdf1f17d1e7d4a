"""Absolute paths of a task that its containers have to themselves: the machine below has nothing there.

A task written for containers reads `/inputs/a.txt` and writes `/outputs/b.txt`, wherever it runs. Such places are in
the attempt's own directory, and mounted where the task says.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from crankshaft_core.backends.base import Attempt, StagedInput
from crankshaft_core.backends.generic.outputs import fixed_part, has_wildcards
from crankshaft_core.task import Output, Task

__all__ = ["NOWHERE_ELSE", "OwnPlaces", "directory_of"]


@dataclass(frozen=True, slots=True)
class OwnPlaces:
    """The paths in the containers, and where they are on the machine below."""

    directories: Mapping[str, str] = field(default_factory=dict[str, str])
    files: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def of(cls, attempt: Attempt, *, root: str, seen: Sequence[str]) -> OwnPlaces:
        """Those of an attempt whose directory is `root`. What is beneath a path in `seen` is the machine's own.

        Outputs that are copied to no URL stay where the task says, and so do inputs that are there already.
        """
        directories = {
            path: f"{root}/own.{number}"
            for number, path in enumerate(_directories(attempt.task))
            if not _beneath_any(path, seen)
        }
        files = {
            path: f"{root}/own.in.{number}"
            for number, path in enumerate(_files(attempt.inputs))
            if not _beneath_any(path, (*seen, *directories))
        }
        return cls(directories, files)

    def below(self, path: str) -> str:
        """Where a path of the containers is on the machine below."""
        if not path.startswith("/"):
            return path
        if path in self.files:
            return self.files[path]
        for directory in sorted(self.directories, key=len, reverse=True):
            if path == directory or path.startswith(f"{directory}/"):
                return self.directories[directory] + path[len(directory) :]
        return path

    def settled(self, attempt: Attempt) -> Attempt:
        """The attempt with its inputs at their paths on the machine below."""
        if not self.directories and not self.files:
            return attempt
        return replace(attempt, inputs=tuple(self._settled(staged) for staged in attempt.inputs))

    def moved(self, outputs: Iterable[Output]) -> Mapping[str, Output]:
        """The outputs as they are on the machine below, by their paths in the containers."""
        return {output.path: output.model_copy(update={"path": self.below(output.path)}) for output in outputs}

    def _settled(self, staged: StagedInput) -> StagedInput:
        path = self.below(_normal(staged.input.path))
        return replace(staged, input=staged.input.model_copy(update={"path": path}))


NOWHERE_ELSE = OwnPlaces()


def directory_of(output: Output) -> str:
    """The directory that must be there for an output to be written."""
    if has_wildcards(output.path):
        return posixpath.normpath(fixed_part(output.path))
    return _normal(output.path if output.type == "DIRECTORY" else posixpath.dirname(output.path))


def _directories(task: Task) -> Iterator[str]:
    """Volumes, and where outputs are written that go elsewhere afterwards; none is beneath another."""
    wanted = {_normal(path) for path in task.volumes}
    wanted |= {directory_of(output) for output in task.outputs if output.url is not None}
    kept: list[str] = []
    for path in sorted(path for path in wanted if path.startswith("/") and path != "/"):
        if not _beneath_any(path, kept):
            kept.append(path)
            yield path


def _files(inputs: Iterable[StagedInput]) -> Iterator[str]:
    for staged in inputs:
        path = _normal(staged.input.path)
        there = staged.file is not None and os.path.abspath(staged.file) == path  # noqa: PTH100 (no link is followed)
        if path.startswith("/") and not there:
            yield path


def _beneath_any(path: str, directories: Iterable[str]) -> bool:
    return any(path == directory or path.startswith(f"{directory}/") for directory in directories)


def _normal(path: str) -> str:
    return posixpath.normpath(path) if path else path
