"""Collecting what a task was to leave, from wherever in its containers it is."""

from __future__ import annotations

import posixpath
import shutil
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from crankshaft_core.backends.docker.client import DockerClient
from crankshaft_core.backends.docker.directory import TaskDirectory
from crankshaft_core.backends.docker.fetch import fetch, local_path
from crankshaft_core.backends.docker.layout import has_wildcards, resolve
from crankshaft_core.backends.docker.ran import Ran
from crankshaft_core.errors import StagingError
from crankshaft_core.task import Output

__all__ = ["collect"]


async def collect(
    client: DockerClient,
    executions: Sequence[Ran],
    outputs: Sequence[Output],
    directory: TaskDirectory,
    *,
    binds: bool,
) -> Mapping[str, Path | None]:
    """Each output's path to a place in `directory`: one that stays if the output has no URL, else one that goes.

    Raises StagingError naming every output that is not there.
    """
    places: dict[str, Path | None] = {}
    missing: list[str] = []
    for output in outputs:
        path = resolve(output.path, executions[0].work_dir)
        target = (directory.outputs if output.url is None else directory.fetched) / path.lstrip("/")
        if has_wildcards(output.path):
            target = target.parent
        if await _find(client, executions, path, target, binds=binds):
            places[output.path] = target
        else:
            missing.append(output.path)
    if missing:
        raise StagingError(f"{executions[-1].name} left no {', '.join(missing)}")
    return places


async def _find(client: DockerClient, executions: Sequence[Ran], path: str, target: Path, *, binds: bool) -> bool:
    """The last execution's container knows best; what is mounted is the same in all of them."""
    for ran in reversed(executions):
        how = _fetch_matches if has_wildcards(path) else fetch
        if await how(client, ran, path, target, binds=binds):
            return True
    return False


async def _fetch_matches(client: DockerClient, ran: Ran, pattern: str, target: Path, *, binds: bool) -> bool:
    """Put what matches the pattern into the directory `target`; False if nothing does."""
    parent, name = posixpath.split(pattern)
    here = await client.work(lambda: local_path(ran, parent)) if binds else None
    if here is None:
        return await _fetch_among_all(client, ran, parent, name, target, binds=binds)
    matches = await client.work(lambda: _matching(here, name))
    found = [await fetch(client, ran, f"{parent}/{match}", target / match, binds=binds) for match in matches]
    return any(found)


async def _fetch_among_all(
    client: DockerClient, ran: Ran, parent: str, name: str, target: Path, *, binds: bool
) -> bool:
    """The engine lists no directory, so all of it comes, and what matches is kept."""
    whole = target.with_name(f".{target.name}.all")
    if not await fetch(client, ran, parent, whole, binds=binds):
        return False

    def keep() -> bool:
        matches = _matching(whole, name)
        target.mkdir(parents=True, exist_ok=True)
        for match in matches:
            (whole / match).replace(target / match)
        shutil.rmtree(whole)
        return bool(matches)

    return await client.work(keep)


def _matching(directory: Path, name: str) -> list[str]:
    return sorted(item.name for item in directory.iterdir() if fnmatchcase(item.name, name))
