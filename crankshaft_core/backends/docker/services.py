"""Attempts as services of a Swarm: those of later executions exist with no copy, and get one when their turn comes."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Collection, Mapping, Sequence

from crankshaft_core.backends.base import Job, JobState, Phase
from crankshaft_core.backends.docker.answers import Json, part
from crankshaft_core.backends.docker.client import DockerClient
from crankshaft_core.backends.docker.facts import Facts
from crankshaft_core.backends.docker.gather import gather
from crankshaft_core.backends.docker.labels import ATTEMPT, EXECUTIONS, RUN, container_name
from crankshaft_core.backends.docker.plan import Plan
from crankshaft_core.backends.docker.ran import Ran, from_container
from crankshaft_core.backends.docker.refusals import Refusal
from crankshaft_core.backends.docker.service_spec import refuse_what_fits_nowhere, service_spec
from crankshaft_core.backends.docker.swarm import by_attempt, exit_code, from_task, is_over, phase_of
from crankshaft_core.errors import AnswerLostError, BackendError, SubmitError, SubmitInDoubt

__all__ = ["Services"]

_log = logging.getLogger(__name__)


class Services:
    """Derives all from labels and states, as `Containers` does."""

    def __init__(self, client: DockerClient, facts: Facts, *, stop_grace: float) -> None:
        self._client = client
        self._facts = facts
        self._stop_grace = stop_grace
        self._hosts: dict[str, str] = {}

    async def submit(self, plan: Plan) -> None:
        """Create the services, the first of them last: being created starts it, and the others must be there then."""
        wanted = plan.attempt.task
        specs = [service_spec(plan, number, stop_grace=self._stop_grace) for number in range(plan.executions)]
        refuse_what_fits_nowhere(wanted.resources, await self._client.nodes(), wanted.name)
        try:
            for spec in reversed(specs):
                await self._create(spec, plan)
        except AnswerLostError as error:
            raise SubmitInDoubt(str(error)) from error
        except SubmitError:
            await self._withdraw(plan)
            raise

    async def poll(self, jobs: Collection[Job]) -> Mapping[str, JobState]:
        """One list call of tasks; one more of services when there are jobs without any."""
        attempts = await self._listed(jobs)
        absent = [job for job in jobs if job.attempt not in attempts]
        waiting = await self._waiting(absent) if absent else set[str]()
        states = {
            job.attempt: JobState(Phase.QUEUED, id=job.attempt) if job.attempt in waiting else JobState(Phase.MISSING)
            for job in absent
        }
        for job in jobs:
            if job.attempt in attempts:
                state = await self._state(job, attempts[job.attempt])
                if state is not None:
                    states[job.attempt] = state
        return states

    async def executions(self, job: Job) -> Sequence[Ran]:
        """The executions that were started, in order."""
        tasks = (await self._listed([job])).get(job.attempt, {})
        found: list[Ran] = []
        for number in sorted(tasks):
            ran = await self._ran(tasks[number], container_name(job.attempt, number))
            if ran.started:
                found.append(ran)
        return found

    async def cancel(self, jobs: Collection[Job], *, force: bool) -> None:
        """Signal the containers on this node, so that what they wrote stays readable; remove all other services."""
        attempts = await self._listed(jobs)
        await gather(self._end(job, attempts.get(job.attempt, {}), force=force) for job in jobs)

    async def remove(self, jobs: Collection[Job], *, keep: bool) -> Mapping[str, Mapping[str, str]]:
        """Remove the jobs' services, unless they are to be kept. Returns the labels of one service of each."""
        services = await self._services(jobs)
        names = [_name(service) for service in services]
        if not keep:
            await gather(self._client.remove_service(name) for name in names)
        elif names:
            _log.info("kept, since cleanup = false: services %s", ", ".join(names))
        return {_labels(service)[ATTEMPT]: _labels(service) for service in services}

    async def _create(self, spec: Json, plan: Plan) -> None:
        try:
            await self._client.create_service(spec)
        except Refusal as refusal:
            if refusal.status != 409 or not await self._is_ours(str(spec["Name"]), plan):
                raise SubmitError(f"{plan.attempt.task.name}: {spec['Name']} cannot be created: {refusal}") from refusal

    async def _is_ours(self, name: str, plan: Plan) -> bool:
        return name in [_name(service) for service in await self._client.services(f"{ATTEMPT}={plan.attempt.id}")]

    async def _withdraw(self, plan: Plan) -> None:
        """Nobody will ask for a refused attempt to be released."""
        try:
            found = await self._client.services(f"{ATTEMPT}={plan.attempt.id}")
            await gather(self._client.remove_service(_name(service)) for service in found)
        except BackendError as error:
            _log.warning("%s: services are left behind: %s", plan.attempt.id, error)

    async def _listed(self, jobs: Collection[Job]) -> dict[str, dict[int, Json]]:
        return by_attempt(await self._client.tasks(_label(jobs)))

    async def _services(self, jobs: Collection[Job]) -> list[Json]:
        attempts = {job.attempt for job in jobs}
        found = await self._client.services(_label(jobs))
        return [service for service in found if _labels(service).get(ATTEMPT) in attempts]

    async def _waiting(self, jobs: Collection[Job]) -> set[str]:
        """Attempts whose first service exists, but has no task yet."""
        services = await self._services(jobs)
        return {
            attempt for service in services if _name(service) == container_name(attempt := _labels(service)[ATTEMPT], 0)
        }

    async def _state(self, job: Job, tasks: Mapping[int, Json]) -> JobState | None:
        """None: it cannot be said now, which is no information."""
        try:
            return await self._walk(job, tasks)
        except BackendError as error:
            _log.info("%s: what comes next cannot be told now: %s", job.attempt, error)
            return None

    async def _walk(self, job: Job, tasks: Mapping[int, Json]) -> JobState:
        count = int(_task_labels(next(iter(tasks.values())))[EXECUTIONS])
        for number in range(count):
            task = tasks.get(number)
            if task is None:
                return await self._start(job, number)
            if not is_over(task) or exit_code(task) != 0 or number == count - 1:
                state = phase_of(task, await self._host(task))
                return dataclasses.replace(state, id=job.attempt)
        raise AssertionError("the last execution returns")

    async def _start(self, job: Job, number: int) -> JobState:
        """Give the next service its one copy; whoever does so first wins, by the service's version."""
        services = {_name(service): service for service in await self._services([job])}
        service = services.get(container_name(job.attempt, number))
        if service is None:
            return JobState(Phase.MISSING)
        if not service["Spec"]["Mode"]["Replicated"].get("Replicas"):
            await self._client.scale(service, 1)
        return JobState(Phase.RUNNING, id=job.attempt)

    async def _ran(self, task: Json, name: str) -> Ran:
        """With what the container itself tells, where it is on this node."""
        here = task.get("NodeID") == self._facts.node
        node = await self._host(task)
        ran = from_task(task, name, node=node, here=here)
        found = await self._client.inspect(ran.container) if ran.container is not None else None
        return ran if found is None else ran.with_container(from_container(found, self._facts.name))

    async def _host(self, task: Json) -> str | None:
        """The host name of the task's node."""
        node = task.get("NodeID")
        if not node:
            return None
        if node not in self._hosts:
            nodes = await self._client.nodes()
            self._hosts = {str(item["ID"]): str(item["Description"]["Hostname"]) for item in nodes}
        return self._hosts.get(str(node), str(node))

    async def _end(self, job: Job, tasks: Mapping[int, Json], *, force: bool) -> None:
        running = [task for task in tasks.values() if task["Status"]["State"] == "running"]
        here = [task for task in running if task.get("NodeID") == self._facts.node]
        containers = [str(task["Status"]["ContainerStatus"]["ContainerID"]) for task in here]
        names = {_name(service) for service in await self._services([job])}
        keep = {container_name(job.attempt, number) for number, task in tasks.items() if task in here or is_over(task)}
        # first, so that no poll starts the next when the running one ends
        await gather(self._client.remove_service(name) for name in names - keep)
        await gather(self._client.kill(container, "SIGKILL" if force else "SIGTERM") for container in containers)


def _label(jobs: Collection[Job]) -> str:
    runs = {job.run for job in jobs}
    return f"{RUN}={runs.pop()}" if len(runs) == 1 else RUN


def _name(service: Json) -> str:
    return str(service["Spec"]["Name"])


def _labels(service: Json) -> Mapping[str, str]:
    return part(service["Spec"], "Labels")


def _task_labels(task: Json) -> Mapping[str, str]:
    return part(task["Spec"]["ContainerSpec"], "Labels")
