"""Attempts as containers of one engine: created all at once, started one after the other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence

from crankshaft_core.backends.base import Job, JobState, Phase
from crankshaft_core.backends.docker.answers import Json, part, texts
from crankshaft_core.backends.docker.chain import Listed, Standing, grouped, standing
from crankshaft_core.backends.docker.client import DockerClient
from crankshaft_core.backends.docker.container_spec import container_config
from crankshaft_core.backends.docker.facts import Facts
from crankshaft_core.backends.docker.fill import empty_volumes, fill, fill_volumes
from crankshaft_core.backends.docker.gather import gather
from crankshaft_core.backends.docker.images import Images
from crankshaft_core.backends.docker.labels import ATTEMPT, RUN, container_name
from crankshaft_core.backends.docker.plan import Plan, image_of
from crankshaft_core.backends.docker.ran import Ran, from_container
from crankshaft_core.backends.docker.refusals import Refusal, exit_code_of
from crankshaft_core.errors import AnswerLostError, BackendError, SubmitError, SubmitInDoubt

__all__ = ["Containers"]

_log = logging.getLogger(__name__)


class Containers:
    """Derives all from labels and states, so that a client that comes later goes on where this one stopped."""

    def __init__(self, client: DockerClient, images: Images, facts: Facts) -> None:
        self._client = client
        self._images = images
        self._facts = facts
        self._init = facts.init
        self._codes: dict[str, int] = {}
        """Exit codes of executions that have a successor, by container name."""
        self._refused: dict[str, str] = {}
        """Attempt to the container that the engine would not start."""
        self._words: dict[str, str] = {}
        """What it said then, by container name: Podman keeps no note of it."""
        self._begun: dict[str, float | None] = {}
        """When attempts began that an earlier client started; None for those of this one, which saw it itself."""

    async def submit(self, plan: Plan) -> None:
        """Create what is not there yet, and start the first container unless it was started before."""
        self._begun[plan.attempt.id] = None
        try:
            await fill_volumes(self._client, plan)
            if await self._create(plan, 0) != "created":
                return
            for number in range(1, plan.executions):
                await self._create(plan, number)
            await self._start_first(plan)
        except AnswerLostError as error:
            raise SubmitInDoubt(str(error)) from error
        except SubmitError:
            await self._withdraw(plan)
            raise

    async def poll(self, jobs: Collection[Job]) -> Mapping[str, JobState]:
        """One list call; more only for attempts of several executions, when one of them has ended."""
        attempts = await self._listed(jobs)
        found = await asyncio.gather(*(self._state(job, attempts.get(job.attempt, {})) for job in jobs))
        return {job.attempt: state for job, state in zip(jobs, found, strict=True) if state is not None}

    async def executions(self, job: Job) -> Sequence[Ran]:
        """The executions that were started, in order."""
        ran: list[Ran] = []
        while True:
            found = await self._client.inspect(container_name(job.attempt, len(ran)))
            if found is None:
                return ran
            one = self._with_words(from_container(found, self._facts.name))
            if not one.started:
                return ran
            ran.append(one)
            if one.code != 0:
                return ran

    async def cancel(self, jobs: Collection[Job], *, force: bool) -> None:
        """Remove what was never started, signal what runs: TERM, then KILL."""
        attempts = await self._listed(jobs)
        containers = [item for job in jobs for item in attempts.get(job.attempt, {}).values()]
        # first, so that no poll starts the next when the running one ends
        await gather(self._client.remove(item.name) for item in containers if item.state == "created")
        await gather(self._end(item, "SIGKILL" if force else "SIGTERM") for item in containers)

    async def remove(self, jobs: Collection[Job], *, keep: bool) -> Mapping[str, Mapping[str, str]]:
        """Remove the jobs' containers, unless they are to be kept. Returns the labels of one container of each."""
        attempts = await self._listed(jobs)
        mine = {job.attempt: attempts[job.attempt] for job in jobs if job.attempt in attempts}
        names = [item.name for containers in mine.values() for item in containers.values()]
        if not keep:
            await gather(self._client.remove(name) for name in names)
        elif names:
            _log.info("kept, since cleanup = false: %s", ", ".join(names))
        for job in jobs:
            self._forget(job.attempt, mine.get(job.attempt, {}))
        return {attempt: next(iter(containers.values())).labels for attempt, containers in mine.items()}

    async def _create(self, plan: Plan, number: int) -> str:
        """The container's state, which is "created" unless an earlier submit of this attempt had started it."""
        name = container_name(plan.attempt.id, number)
        try:
            answer = await self._create_with_image(plan, number)
        except Refusal as refusal:
            state = await self._state_of_ours(plan, name) if refusal.status == 409 else None
            if state is None:
                raise SubmitError(f"{plan.attempt.task.name}: {name} cannot be created: {refusal}") from refusal
        else:
            state = "created"
            for warning in texts(answer, "Warnings"):
                _log.warning("%s: %s", name, warning)
        if state == "created":
            await fill(self._client, plan, name)
        return state

    async def _create_with_image(self, plan: Plan, number: int) -> Json:
        """Once more without an init that is not there, and after fetching an image that somebody removed."""
        try:
            return await self._create_once(plan, number)
        except Refusal as refusal:
            if refusal.status == 404:
                image = image_of(plan.attempt, number, plan.config)
                self._images.forget(image)
                await self._images.ensure(image)
            elif "init binary" in str(refusal):
                self._do_without_init()
            else:
                raise
        return await self._create_once(plan, number)

    def _do_without_init(self) -> None:
        if self._init:
            _log.info("%s has no init: commands without a handler for TERM are ended by KILL", self._facts.name)
        self._init = False

    async def _create_once(self, plan: Plan, number: int) -> Json:
        config = container_config(plan, number, init=self._init)
        platform = plan.attribute("platform", plan.config.platform)
        return await self._client.create(container_name(plan.attempt.id, number), config, platform)

    async def _state_of_ours(self, plan: Plan, name: str) -> str | None:
        """The state of the container that has the name already; None if it is somebody else's."""
        found = await self._client.inspect(name)
        if found is None or part(found["Config"], "Labels").get(ATTEMPT) != plan.attempt.id:
            return None
        return str(found["State"]["Status"])

    async def _start_first(self, plan: Plan) -> None:
        try:
            await self._client.start(container_name(plan.attempt.id, 0))
        except Refusal as refusal:
            code = exit_code_of(str(refusal))
            how = f"cannot start in image {image_of(plan.attempt, 0, plan.config)!r}"
            note = f" (exit code {code})" if code else ""
            raise SubmitError(f"{plan.attempt.task.name} {how}{note}: {refusal}") from refusal

    async def _withdraw(self, plan: Plan) -> None:
        """Nobody will ask for a refused attempt to be released."""
        self._forget(plan.attempt.id, {})
        try:
            found = grouped(await self._client.containers([f"{ATTEMPT}={plan.attempt.id}"]))
            await gather(self._client.remove(item.name) for item in found.get(plan.attempt.id, {}).values())
            await empty_volumes(self._client, [plan.attempt.id], plan.attempt.run)
        except BackendError as error:
            _log.warning("%s: containers are left behind: %s", plan.attempt.id, error)

    async def _listed(self, jobs: Collection[Job]) -> dict[str, dict[int, Listed]]:
        runs = {job.run for job in jobs}
        return grouped(await self._client.containers([f"{RUN}={runs.pop()}" if len(runs) == 1 else RUN]))

    async def _state(self, job: Job, containers: Mapping[int, Listed]) -> JobState | None:
        """None: it cannot be said now, which is no information."""
        if job.id is None and not any(item.state != "created" for item in containers.values()):
            return None if containers else JobState(Phase.MISSING)
        try:
            where = await self._decided(containers, self._refused.get(job.attempt))
            if where.next is not None:
                where = await self._started(where, containers)
            begun = await self._begin(job.attempt) if where.phase is Phase.RUNNING else None
        except BackendError as error:
            _log.info("%s: what comes next cannot be told now: %s", job.attempt, error)
            return None
        return JobState(where.phase, reason=where.reason, id=job.attempt, node=self._facts.name, started=begun)

    async def _begin(self, attempt: str) -> float | None:
        """When it began to run, if that was before this client came; the list does not tell."""
        if attempt not in self._begun:
            found = await self._client.inspect(container_name(attempt, 0))
            self._begun[attempt] = None if found is None else from_container(found, self._facts.name).started_at
        return self._begun[attempt]

    async def _decided(self, containers: Mapping[int, Listed], refused: str | None) -> Standing:
        while True:
            where = standing(containers, self._codes, refused)
            if where.undecided is None:
                return where
            found = await self._client.inspect(where.undecided.name)
            if found is None:
                return Standing(Phase.MISSING)
            self._codes[where.undecided.name] = int(found["State"]["ExitCode"])

    async def _started(self, where: Standing, containers: Mapping[int, Listed]) -> Standing:
        """Start the next execution; its container's state makes sure that nobody starts it twice."""
        assert where.next is not None
        name = where.next.name
        try:
            await self._client.start(name)
        except Refusal as refusal:
            self._refused[where.next.attempt], self._words[name] = name, str(refusal)
            return standing(containers, self._codes, name)
        return Standing(Phase.RUNNING)

    async def _end(self, item: Listed, signal: str) -> None:
        if item.state == "paused":
            await self._client.unpause(item.name)
        if item.state in ("running", "paused", "restarting"):
            await self._client.kill(item.name, signal)

    def _with_words(self, ran: Ran) -> Ran:
        words = self._words.get(ran.name)
        return ran if words is None else ran.refused(words)

    def _forget(self, attempt: str, containers: Mapping[int, Listed]) -> None:
        self._refused.pop(attempt, None)
        self._begun.pop(attempt, None)
        for item in containers.values():
            self._codes.pop(item.name, None)
            self._words.pop(item.name, None)
