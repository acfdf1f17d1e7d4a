"""Bringing a path of an ended container to this machine, by hard link where it is here already."""

from __future__ import annotations

import os
import posixpath
import shutil
from collections.abc import Iterable
from pathlib import Path

from crankshaft_core.backends.docker.answers import Json
from crankshaft_core.backends.docker.archive import unpack
from crankshaft_core.backends.docker.client import DockerClient
from crankshaft_core.backends.docker.ran import Ran, host_path
from crankshaft_core.errors import StagingError

__all__ = ["fetch", "local_path"]

_LINKS = 40
"""As many symbolic links as Linux follows in one path (path_resolution(7))."""
_IS_LINK = 1 << 27
"""In the `mode` of a path in a container, which is Go's os.FileMode."""


async def fetch(client: DockerClient, ran: Ran, path: str, target: Path, *, binds: bool) -> bool:
    """Make `target` what is at `path` in the container; False if there is nothing.

    `binds`: the container's bind mounts are directories of this machine. Raises StagingError, TransportError.
    """
    source = await client.work(lambda: local_path(ran, path)) if binds else None
    try:
        if source is not None:
            await client.work(lambda: _link(source, target))
            return True
        return await _get(client, ran, path, target)
    except OSError as error:
        raise StagingError(f"{path}: {error.strerror or error}: {error.filename}") from error


def local_path(ran: Ran, path: str) -> Path | None:
    """Where a path of the container can be read here; None if it is not in a bind mount, or leads out of it.

    A link is only good here if it stays where it began: an absolute one means the container's files, not ours.
    """
    found = host_path(path, ran.binds)
    if found is None:
        return None
    real = Path(os.path.realpath(found))
    roots = [Path(os.path.realpath(source)) for _, source in ran.binds]
    inside = any(real.is_relative_to(root) for root in roots)
    return real if inside and os.access(real, os.R_OK) else None


async def _get(client: DockerClient, ran: Ran, path: str, target: Path) -> bool:
    """By the engine's archive call, following links as the container would."""

    def take(stat: Json, chunks: Iterable[bytes]) -> str:
        if int(stat.get("mode", 0)) & _IS_LINK:
            return str(stat.get("linkTarget", ""))
        unpack(chunks, target)
        return ""

    for _ in range(_LINKS):
        if ran.container is None:
            return False
        leads_to = await client.get(ran.container, path, take)
        if leads_to is None:
            return False
        if not leads_to:
            return True
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), leads_to))
    raise StagingError(f"{path}: too many symbolic links")


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True, copy_function=_link_file)
    else:
        _link_file(str(source), str(target))


def _link_file(source: str, target: str) -> None:
    Path(target).unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system, or another user's file: then a copy it must be
        shutil.copy2(source, target)
