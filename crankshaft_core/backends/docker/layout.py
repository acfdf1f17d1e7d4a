"""Where a task's paths are in its containers, and which directories are made for it there."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from crankshaft_core.errors import SubmitError
from crankshaft_core.task import Execution, Output, Task

__all__ = ["TASK_DIR", "Layout", "beneath", "directories", "has_wildcards", "home", "lay_out", "resolve"]

TASK_DIR = "/crankshaft"
"""The working directory of a task that names relative paths and no `work_dir`."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The directories that are made for a task and are the same ones in all of its containers."""

    home: str | None
    """What relative paths stand relative to; None: there are none, and the image's own directory is used."""
    roots: tuple[str, ...] = ()
    """Directories that are put into the containers; none is beneath another."""
    inner: tuple[str, ...] = ()
    """Directories beneath roots that are there when the first execution starts."""

    def root_of(self, path: str) -> int | None:
        """The number of the root that holds `path`."""
        return next((number for number, root in enumerate(self.roots) if beneath(path, root)), None)


def home(task: Task) -> str | None:
    """The directory that relative paths of the task stand relative to."""
    first = task.executions[0].work_dir
    if first is not None:
        return posixpath.normpath(first)
    return TASK_DIR if any(not path.startswith("/") for path in _paths(task)) else None


def resolve(path: str, base: str | None) -> str:
    """The absolute path in the container."""
    return posixpath.normpath(posixpath.join(base or "/", path)).replace("//", "/")


def beneath(path: str, directory: str) -> bool:
    """`path` is `directory` or in it."""
    return directory in (path, "/") or path.startswith(directory + "/")


def has_wildcards(path: str) -> bool:
    """`path` is a pattern."""
    return any(sign in path for sign in "*?[")


def directories(task: Task) -> Mapping[str, bool]:
    """Every directory the task writes to; True for those that are its own whatever the image has there.

    The others are the parents of outputs, and working directories. Raises SubmitError for paths that cannot be.
    """
    base = home(task)
    _validate(task, base)
    found: dict[str, bool] = {resolve(path, base): True for path in task.volumes}
    if base == TASK_DIR:
        found[TASK_DIR] = True
    for execution in task.executions:
        if execution.work_dir is not None:
            found.setdefault(resolve(execution.work_dir, base), False)
        for path in (execution.stdout, execution.stderr):
            if path is not None:
                found.setdefault(posixpath.dirname(resolve(path, base)), False)
    for output in task.outputs:
        found.setdefault(output_directory(output, base), False)
    found.pop("/", None)
    return found


def output_directory(output: Output, base: str | None) -> str:
    """The directory that must be there for the output to be written."""
    path = resolve(output.path, base)
    whole = output.type == "DIRECTORY" and not has_wildcards(output.path)
    return path if whole else posixpath.dirname(path)


def lay_out(task: Task, made: Collection[str]) -> Layout:
    """The layout in which the directories `made` are put into the containers."""
    roots = _outermost(made)
    return Layout(home(task), roots, tuple(sorted(path for path in made if path not in roots)))


def _outermost(paths: Iterable[str]) -> tuple[str, ...]:
    roots: list[str] = []
    for path in sorted(paths):
        if not any(beneath(path, root) for root in roots):
            roots.append(path)
    return tuple(roots)


def _paths(task: Task) -> Iterable[str]:
    yield from (item.path for item in task.inputs)
    yield from (output.path for output in task.outputs)
    yield from task.volumes
    for execution in task.executions:
        yield from _redirections(execution)


def _redirections(execution: Execution) -> Iterable[str]:
    return (path for path in (execution.stdin, execution.stdout, execution.stderr) if path is not None)


def _validate(task: Task, base: str | None) -> None:
    for execution in task.executions:
        if execution.work_dir is not None and not execution.work_dir.startswith("/"):
            raise SubmitError(f"{task.name}: work_dir {execution.work_dir!r} must be an absolute path in the container")
    for path in task.volumes:
        if resolve(path, base) == "/":
            raise SubmitError(f"{task.name}: '/' cannot be a volume")
    for output in task.outputs:
        if has_wildcards(output_directory(output, base)):
            raise SubmitError(f"{task.name}: output {output.path!r}: wildcards may stand in the last part only")
        if has_wildcards(output.path) and output_directory(output, base) == "/":
            raise SubmitError(f"{task.name}: output {output.path!r}: all of '/' cannot be searched; use a directory")
    targets = [resolve(item.path, base) for item in task.inputs]
    twice = next((path for path in targets if targets.count(path) > 1), None)
    if twice is not None:
        raise SubmitError(f"{task.name}: two inputs are to be at {twice}")
    if "/" in targets:
        raise SubmitError(f"{task.name}: no input can be at '/'")
