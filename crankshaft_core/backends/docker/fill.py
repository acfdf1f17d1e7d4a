"""Bringing files to an engine that cannot see this machine's: volumes stand for roots, archives carry inputs."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator

from crankshaft_core.backends.docker.answers import part
from crankshaft_core.backends.docker.archive import Entry, pack
from crankshaft_core.backends.docker.client import DockerClient
from crankshaft_core.backends.docker.gather import gather
from crankshaft_core.backends.docker.labels import ATTEMPT, RUN, attempt_labels, volume_name
from crankshaft_core.backends.docker.plan import Plan

__all__ = ["empty_volumes", "fill", "fill_volumes"]


async def fill_volumes(client: DockerClient, plan: Plan) -> None:
    """Make the volumes that stand for the roots."""
    if not plan.facts.binds:
        for number in range(len(plan.layout.roots)):
            await client.create_volume(volume_name(plan.attempt.id, number), attempt_labels(plan.attempt))


async def fill(client: DockerClient, plan: Plan, container: str) -> None:
    """Put the inputs, and the directories the task writes to, into a container that has not started."""
    if not plan.facts.binds and (plan.layout.roots or plan.placements):
        await client.put(container, pack(_entries(plan)))


async def empty_volumes(client: DockerClient, attempts: Collection[str], run: str) -> None:
    """Remove the volumes of attempts."""
    found = await client.volumes(f"{RUN}={run}")
    names = [str(item["Name"]) for item in found if part(item, "Labels").get(ATTEMPT) in attempts]
    await gather(client.remove_volume(name) for name in names)


def _entries(plan: Plan) -> Iterator[Entry]:
    """Directories first; only what the task itself was promised is made, so that nothing of the image changes."""
    uid, gid = _ids(plan.user)
    for path in sorted((*plan.layout.roots, *plan.layout.inner)):
        yield Entry(path, None, writable=True, uid=uid, gid=gid)
    for item in plan.placements:
        source = item.staged.content if item.staged.content is not None else item.staged.file
        writable = item.blended or not item.staged.input.read_only
        if source is not None:
            yield Entry(posixpath.normpath(item.target), source, writable=writable, uid=uid, gid=gid)


def _ids(user: str | None) -> tuple[int, int]:
    """Owner of what is brought; root where the user is a name, which only the image could tell."""
    uid, _, gid = (user or "").partition(":")
    return (int(uid), int(gid) if gid.isdigit() else 0) if uid.isdigit() else (0, 0)
