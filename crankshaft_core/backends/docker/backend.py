"""The Docker backend: containers of a Docker engine or of Podman, and services of a Swarm."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

from crankshaft_core.backends.base import (
    Attempt,
    Cadence,
    Cleaning,
    Health,
    Job,
    JobState,
    Leftover,
    Outcome,
    Reach,
    Shown,
)
from crankshaft_core.backends.docker.answers import texts
from crankshaft_core.backends.docker.client import DockerClient
from crankshaft_core.backends.docker.containers import Containers
from crankshaft_core.backends.docker.directory import TaskDirectory
from crankshaft_core.backends.docker.facts import Facts, read_facts, uses_services
from crankshaft_core.backends.docker.fill import empty_volumes
from crankshaft_core.backends.docker.follow import Follower, read_piece
from crankshaft_core.backends.docker.images import Images
from crankshaft_core.backends.docker.labels import DIRECTORY
from crankshaft_core.backends.docker.leftovers import Leftovers
from crankshaft_core.backends.docker.outputs import collect
from crankshaft_core.backends.docker.plan import Plan
from crankshaft_core.backends.docker.planner import Planner
from crankshaft_core.backends.docker.ran import Ran
from crankshaft_core.backends.docker.results import gone, outcome_with_streams
from crankshaft_core.backends.docker.script import as_script
from crankshaft_core.backends.docker.services import Services
from crankshaft_core.backends.docker.waker import Waker
from crankshaft_core.config.docker import DockerConfig
from crankshaft_core.errors import SubmitError, TransportError
from crankshaft_core.task import Output, Verdict

__all__ = ["DockerBackend"]

_KILL_AFTER = 10.0


class _Runner(Protocol):
    """Containers or services: what an attempt becomes on the engine."""

    async def submit(self, plan: Plan) -> None: ...
    async def poll(self, jobs: Collection[Job]) -> Mapping[str, JobState]: ...
    async def executions(self, job: Job) -> Sequence[Ran]: ...
    async def cancel(self, jobs: Collection[Job], *, force: bool) -> None: ...
    async def remove(self, jobs: Collection[Job], *, keep: bool) -> Mapping[str, Mapping[str, str]]: ...


class DockerBackend:
    """Runs every execution in a container `<attempt>-<i>`, or as a Swarm service of that name.

    The job id is the attempt's id. Everything else is found by the labels `crankshaft.run` and `crankshaft.attempt`,
    which containers, services and volumes carry, so another process goes on with nothing but the `Job`.
    """

    def __init__(self, config: DockerConfig, *, run_id: str) -> None:
        self._config = config
        self._run = run_id
        self._client = DockerClient(config.host)
        self._images = Images(self._client, pull=config.pull, platform=config.platform)
        self._work_dir = Path(config.work_dir or ".crankshaft").expanduser().absolute()
        self._planner = Planner(config, self._client, self._images, self._work_dir)
        self._contact = asyncio.Lock()
        self._facts: Facts | None = None
        self._runner: _Runner | None = None
        self._wake: Callable[[], None] | None = None
        self._waker: Waker | None = None
        self._followers: dict[tuple[str, str], Follower] = {}

    @property
    def cadence(self) -> Cadence:
        """As configured. An engine lists containers from its own memory, so one that is missing is soon looked into."""
        config, usual = self._config, Cadence()
        return Cadence(
            poll=config.poll_interval or usual.poll,
            slowest_poll=max(config.poll_interval or 0, 5.0),
            sweep=config.sweep_interval or usual.sweep,
            grace=12.0 if config.grace is None else config.grace,
            kill_after=_KILL_AFTER if config.kill_after is None else config.kill_after,
            cancel_timeout=usual.cancel_timeout if config.cancel_timeout is None else config.cancel_timeout,
            in_doubt=10.0,
        )

    @property
    def reach(self) -> Reach:
        """Containers see no path of this machine by themselves; what they need is mounted or sent."""
        return Reach(transfers=True)

    @property
    def enforces_time(self) -> bool:
        """Docker knows no time limit."""
        return False

    def listen(self, wake: Callable[[], None]) -> None:
        """`wake` is called when a container of the run has ended."""
        self._wake = wake

    def script(self, attempt: Attempt) -> str:
        """`docker run` for each execution."""
        facts = self._facts or read_facts({}, {}, address=self._client.address, files=self._config.files)
        return as_script(self._planner.sketch(attempt, facts))

    async def submit(self, attempt: Attempt) -> str:
        """Create the containers, start the first, and return the attempt's id."""
        facts, runner = await self._first_contact()
        plan = await self._planner.plan(attempt, facts, services=isinstance(runner, Services))
        self._start_waker()
        await runner.submit(plan)
        return attempt.id

    async def poll(self, jobs: Collection[Job], *, sweep: bool) -> Mapping[str, JobState]:
        """One list call, and the start of executions whose turn has come."""
        del sweep  # every poll is one cheap call
        _, runner = await self._connected()
        self._start_waker()
        return await runner.poll(jobs)

    async def result(self, job: Job) -> Outcome:
        """One inspect for each execution that was started, and its log."""
        facts, runner = await self._connected()
        executions = await runner.executions(job)
        if not executions:
            told = await gone(self._client, [job])
            return told.get(job.attempt, Outcome(Verdict.LOST, detail="its containers are gone, and nobody says why"))
        return await outcome_with_streams(self._client, executions, self._directory(job, executions), facts)

    async def diagnose(self, jobs: Collection[Job]) -> Mapping[str, Outcome]:
        """The engine remembers for a while that a container was removed."""
        return await gone(self._client, jobs)

    async def cancel(self, jobs: Collection[Job], *, force: bool) -> None:
        """TERM to the first process of each container, then KILL. What never started is removed."""
        _, runner = await self._connected()
        await runner.cancel(jobs, force=force)

    async def collect(self, job: Job, outputs: Sequence[Output], scratch: Path) -> Mapping[str, Path | None]:
        """Link or fetch the outputs into the attempt's directory; those without a URL stay there."""
        del scratch  # hard links need the same file system, and outputs that stay need a place that stays
        facts, runner = await self._connected()
        executions = await runner.executions(job)
        directory = self._directory(job, executions)
        return await collect(self._client, executions, outputs, directory, binds=facts.binds)

    async def read(self, job: Job, stream: Literal["stdout", "stderr"], offset: int) -> bytes:
        """From the log of the execution that runs, after those of the ones before it."""
        facts, runner = await self._connected()
        follower = self._followers.setdefault((job.attempt, stream), Follower())
        executions = await runner.executions(job)
        directory = self._directory(job, executions)
        if not directory.stream(stream).exists() and follower.execution < len(executions):
            ran = executions[follower.execution]
            await follower.catch_up(self._client, ran, stream, directory, binds=facts.binds)
        saved = directory.stream(stream).exists()
        path = directory.stream(stream) if saved else directory.live(stream)
        return await self._client.work(lambda: read_piece(path, offset))

    async def release(self, ended: Mapping[Job, Verdict]) -> None:
        """Remove containers, services, volumes and all but the streams and outputs, or say what is kept."""
        facts, runner = await self._connected()
        labels = await runner.remove(ended, keep=not self._config.cleanup)
        for job in ended:
            self._forget(job)
        if not self._config.cleanup:
            return
        if not facts.binds:
            for run in {job.run for job in ended}:
                await empty_volumes(self._client, [job.attempt for job in ended], run)
        for job, verdict in ended.items():
            if not (self._config.keep_dirs and verdict is Verdict.OK):
                directory = self._labelled_directory(job, labels.get(job.attempt, {}))
                await self._client.work(directory.prune)

    async def shown(self) -> Sequence[Shown]:
        """As `Backend.shown`, by the labels of containers or services."""
        return await (await self._leftovers()).shown()

    async def clean(self, cleaning: Cleaning) -> Sequence[Leftover]:
        """As `Backend.clean`: containers, services, volumes, and directories of attempts."""
        return await (await self._leftovers()).clean(cleaning)

    async def check(self) -> Health:
        """What the engine says of itself."""
        try:
            info, version = await self._client.info()
        except TransportError as error:
            return Health(ok=False, summary=str(error))
        facts = read_facts(info, version, address=self._client.address, files=self._config.files)
        try:
            services = uses_services(facts, self._config)
        except SubmitError as error:
            return Health(ok=False, summary=str(error))
        kind = "Podman" if facts.podman else "Docker"
        what = "services of a Swarm" if services else "containers"
        notes = list(texts(info, "Warnings"))
        if not facts.binds:
            notes.append("files are copied, since nothing of this machine can be mounted there")
        if facts.rootless and info.get("CgroupVersion") == "1":
            notes.append("cpu_limit and ram_limit are not enforced: rootless engines need version 2 of control groups")
        return Health(True, f"{kind} {facts.version} on {facts.name} ({self._client.address}): {what}", tuple(notes))

    async def aclose(self) -> None:
        """End the thread that listens, and close the connections."""
        if self._waker is not None:
            await self._waker.aclose()
        await self._images.aclose()
        await self._client.aclose()

    async def _leftovers(self) -> Leftovers:
        _, runner = await self._connected()
        return Leftovers(self._client, self._work_dir, swarm=isinstance(runner, Services))

    async def _first_contact(self) -> tuple[Facts, _Runner]:
        """An engine that never answered yet is a mistake in the configuration rather than an outage."""
        known = self._facts is not None
        try:
            return await self._connected()
        except TransportError as error:
            if known:
                raise
            raise SubmitError(f"{self._config.name}: {error}") from error

    async def _connected(self) -> tuple[Facts, _Runner]:
        async with self._contact:
            if self._facts is None or self._runner is None:
                info, version = await self._client.info()
                facts = read_facts(info, version, address=self._client.address, files=self._config.files)
                self._runner = self._runner_for(facts)
                self._facts = facts
            return self._facts, self._runner

    def _runner_for(self, facts: Facts) -> _Runner:
        if uses_services(facts, self._config):
            return Services(self._client, facts, stop_grace=self.cadence.kill_after)
        return Containers(self._client, self._images, facts)

    def _start_waker(self) -> None:
        # the SDK cannot end a stream that comes over ssh
        if self._waker is None and self._wake is not None and not self._client.address.startswith("ssh:"):
            self._waker = Waker(self._client, self._run, self._wake)

    def _directory(self, job: Job, executions: Sequence[Ran]) -> TaskDirectory:
        return self._labelled_directory(job, executions[0].labels if executions else {})

    def _labelled_directory(self, job: Job, labels: Mapping[str, str]) -> TaskDirectory:
        """Where the client that submitted it, perhaps from another directory, put it."""
        named = labels.get(DIRECTORY)
        return TaskDirectory(Path(named)) if named else self._planner.directory(job.run, job.attempt)

    def _forget(self, job: Job) -> None:
        for stream in ("stdout", "stderr"):
            self._followers.pop((job.attempt, stream), None)
