"""Containers, services, volumes and directories of every run: whose work lives, and which may go."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crankshaft_core.backends.base import Cleaning, Job, JobState, Leftover, Phase, Shown
from crankshaft_core.backends.docker.answers import Json, part, texts
from crankshaft_core.backends.docker.chain import Listed, grouped, standing
from crankshaft_core.backends.docker.client import DockerClient
from crankshaft_core.backends.docker.labels import ATTEMPT, DIRECTORY, RUN, TASK
from crankshaft_core.backends.docker.ran import from_container, seconds
from crankshaft_core.backends.docker.swarm import by_attempt, is_over, phase_of
from crankshaft_core.backends.leavings import is_run, run_of
from crankshaft_core.errors import BackendError

__all__ = ["Leftovers"]

_ALIVE = frozenset({"running", "paused", "restarting", "removing"})
_GIB = 1024.0**3
_OF_A_SERVICE = "com.docker.swarm.service.id"
"""The label of containers that go with their service."""

Removal = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class _Run:
    """What is there of one run. `changed`: when anything of it last did, in seconds since the epoch."""

    live: bool = False
    ours: bool = False
    elsewhere: bool = False
    """An attempt has no result yet, and no container on this engine."""
    changed: float = 0.0
    things: list[tuple[str, float | None, Removal]] = field(default_factory=list[tuple[str, float | None, Removal]])

    def touch(self, moment: float | None) -> None:
        """Something of it changed then."""
        self.changed = max(self.changed, moment or 0.0)


class Leftovers:
    """Looks at what carries the label `crankshaft.run`, and below `work_dir`. `swarm`: the engine manages services."""

    def __init__(self, client: DockerClient, work_dir: Path, *, swarm: bool) -> None:
        self._client = client
        self._work_dir = work_dir
        self._swarm = swarm

    async def shown(self) -> Sequence[Shown]:
        """As `Backend.shown`: of everybody who uses this engine, which knows no users."""
        if self._swarm:
            tasks = by_attempt(await self._client.tasks(RUN))
            found = [_of_tasks(attempt, list(tasks[attempt].values())) for attempt in tasks]
        else:
            attempts = grouped(await self._client.containers([RUN]))
            found = [_of_containers(attempt, containers) for attempt, containers in attempts.items()]
        return [item for item in found if item is not None]

    async def clean(self, cleaning: Cleaning) -> Sequence[Leftover]:
        """As `Backend.clean`."""
        runs: dict[str, _Run] = {}
        labelled = await self._labelled()
        here = {_labels(item).get(ATTEMPT, "") for _, (_, item) in labelled}
        for name, thing in labelled:
            if cleaning.concerns(name):
                await self._take_note(runs.setdefault(name, _Run()), thing)
        for path in await self._client.work(lambda: list(_run_directories(self._work_dir))):
            if cleaning.concerns(path.name):
                await self._note_directory(runs.setdefault(path.name, _Run()), path, here)
        return [found for name, run in runs.items() for found in await self._go_through(name, run, cleaning)]

    async def _labelled(self) -> list[tuple[str, tuple[str, Json]]]:
        """Everything on the engine that carries a run's label, with its kind."""
        found = [("container", item) for item in await self._client.containers([RUN])]
        if self._swarm:
            found += [("task", item) for item in await self._client.tasks(RUN)]
            found += [("service", item) for item in await self._client.services(RUN)]
        found += [("volume", item) for item in await self._client.volumes(RUN)]
        return [(_labels(item)[RUN], (kind, item)) for kind, item in found if is_run(_labels(item).get(RUN, ""))]

    async def _take_note(self, run: _Run, thing: tuple[str, Json]) -> None:
        kind, item = thing
        run.ours = run.ours or _is_ours(_labels(item).get(DIRECTORY))
        if kind == "container":
            await self._note_container(run, item)
        elif kind == "task":
            run.live = run.live or not is_over(item)
            run.touch(seconds(item["Status"].get("Timestamp")))
        elif kind == "service":
            name = str(item["Spec"]["Name"])
            run.touch(seconds(item.get("UpdatedAt") or item.get("CreatedAt")))
            run.things.append((f"service {name}", None, lambda: self._client.remove_service(name)))
        else:
            name = str(item["Name"])
            run.touch(seconds(item.get("CreatedAt")))
            run.things.append((f"volume {name}", None, lambda: self._client.remove_volume(name)))

    async def _note_container(self, run: _Run, item: Json) -> None:
        names = texts(item, "Names")
        if not names:
            return
        name = names[0].lstrip("/")
        run.live = run.live or str(item.get("State")) in _ALIVE
        run.touch(float(item.get("Created") or 0))
        found = None if run.live else await self._client.inspect(name)
        if found is not None:
            run.touch(from_container(found, "").ended_at)
        if _OF_A_SERVICE not in _labels(item):
            run.things.insert(0, (f"container {name}", None, lambda: self._client.remove(name)))

    async def _note_directory(self, run: _Run, path: Path, here: Collection[str]) -> None:
        size, changed = await self._client.work(lambda: _measured(path))
        run.ours = True
        run.elsewhere = any(attempt.name not in here and not _has_result(attempt) for attempt in _attempts(path))
        run.touch(changed)
        run.things.append((f"directory {path}", size, lambda: self._client.work(lambda: _remove(path))))

    async def _go_through(self, name: str, run: _Run, cleaning: Cleaning) -> list[Leftover]:
        idle = max(0.0, time.time() - run.changed)
        kept = "has live containers" if run.live else ""
        if not kept and not run.ours and not cleaning.claims(name):
            kept = f"may be somebody else's: its directory is not here. If it is yours: --run {name}"
        kept = kept or cleaning.spares(name, idle)
        if not kept and run.elsewhere and cleaning.only != name:
            kept = f"an attempt has no result and no container here. If it has none on another engine: --run {name}"
        young = cleaning.is_young(name, idle)
        return [
            Leftover(what, name, size, kept or await _removed(removal, dry_run=cleaning.dry_run), young)
            for what, size, removal in run.things
        ]


async def _removed(removal: Removal, *, dry_run: bool) -> str:
    """Why it is still there; empty if it is not."""
    try:
        if not dry_run:
            await removal()
    except (BackendError, OSError) as error:
        return str(error)
    return ""


def _of_containers(attempt: str, containers: Mapping[int, Listed]) -> Shown | None:
    run = run_of(attempt)
    where = standing(containers, {}, None)
    if run is None or where.phase not in (Phase.QUEUED, Phase.RUNNING):
        return None
    name = next(iter(containers.values())).labels.get(TASK, "")
    return Shown(Job(attempt, run, attempt), JobState(where.phase, where.reason, attempt), name)


def _of_tasks(attempt: str, tasks: Sequence[Json]) -> Shown | None:
    run, live = run_of(attempt), [task for task in tasks if not is_over(task)]
    if run is None or not live:
        return None
    return Shown(Job(attempt, run, attempt), phase_of(live[0], None), _labels(live[0]).get(TASK, ""))


def _labels(item: Json) -> Mapping[str, str]:
    """Of a container, volume, service or task, each of which has them elsewhere."""
    spec = part(item, "Spec")
    return part(item, "Labels") or part(part(spec, "ContainerSpec"), "Labels") or part(spec, "Labels")


def _is_ours(directory: str | None) -> bool:
    """The directory that a container was submitted from, or what is left of the path to it, belongs to this user."""
    if directory is None:
        return False
    path = Path(directory)
    nearest = next((place for place in (path, *path.parents) if place.exists()), None)
    return nearest is not None and nearest != Path("/") and nearest.stat().st_uid == os.getuid()


def _run_directories(work_dir: Path) -> Iterator[Path]:
    """Real directories of this user that hold those of attempts, and are called after the run of these."""
    for path in sorted(work_dir.glob("[a-z]*")):
        own = path.is_dir() and not path.is_symlink() and path.stat().st_uid == os.getuid()
        if own and is_run(path.name) and any(_attempts(path)):
            yield path


def _attempts(run: Path) -> Iterator[Path]:
    return (path for path in sorted(run.iterdir()) if run_of(path.name) == run.name and not path.is_symlink())


def _has_result(attempt: Path) -> bool:
    """Its streams were saved, which is done when it has ended."""
    return (attempt / "stdout").exists()


def _measured(run: Path) -> tuple[float, float]:
    """GiB of the attempts' directories, and when anything in them last changed."""
    found = [path.lstat() for attempt in _attempts(run) for path in (attempt, *attempt.rglob("*"))]
    return sum(item.st_blocks * 512 for item in found) / _GIB, max(item.st_mtime for item in found)


def _remove(run: Path) -> None:
    """The attempts' directories, and the run's if it holds nothing else. Raises OSError."""
    for attempt in list(_attempts(run)):
        shutil.rmtree(attempt)
    if not any(run.iterdir()):
        run.rmdir()
