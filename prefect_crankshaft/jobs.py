"""Calls gathered into jobs, jobs run by the core's engine, and what each call came to."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from crankshaft_core.engine import Engine, TaskHandle
from crankshaft_core.errors import CrankshaftError
from crankshaft_core.events import Event, TaskEvent, TaskHeld
from crankshaft_core.notices import line_of
from crankshaft_core.task import TaskResult
from prefect_crankshaft.batches import Batches
from prefect_crankshaft.failures import advised, crash_message
from prefect_crankshaft.job_task import JobFiles, interpreter, job_task
from prefect_crankshaft.keeping import Keeping
from prefect_crankshaft.payload import Call, Record, records
from prefect_crankshaft.request import Request
from prefect_crankshaft.run_log import RunLog, level_of

__all__ = ["Jobs", "NoResult", "Pending"]


@dataclass(frozen=True, slots=True)
class NoResult:
    """The job ended, or could not be run, and left no result of this call. `cause`: the core's error, if it was one."""

    message: str
    cause: CrankshaftError | None = None


@dataclass(eq=False, slots=True)
class Pending:
    """A call that waits for its answer."""

    name: str
    call: Call
    log: RunLog
    key: str
    answer: asyncio.Future[Record | NoResult] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Jobs:
    """Lives on one loop; made in the context of the flow run, if there is one.

    `aclose` ends what is under way, and waits until that is confirmed.
    """

    def __init__(self, engine: Engine, keeping: Keeping, *, max_tasks: int | None) -> None:
        self.engine = engine
        self._keeping = keeping
        self._places = contextlib.nullcontext() if max_tasks is None else asyncio.Semaphore(max_tasks)
        self._batches: Batches[Request, Pending] = Batches(self._start)
        self._running: set[asyncio.Task[None]] = set()
        self._calls: Counter[str] = Counter()
        self._members: dict[str, Sequence[Pending]] = {}
        self._held: set[str] = set()
        self._log = RunLog()
        engine.subscribe(self._tell)

    async def answer(self, name: str, call: Call, request: Request, *, identity: str) -> Record | NoResult:
        """Make the call on its backend. `identity`: what it is told from other calls by, besides its arguments."""
        pending = Pending(name, call, RunLog(), self._key(f"{identity} {call.digest}"))
        self._batches.add(request, pending, most=request.batch)
        return await pending.answer

    async def aclose(self) -> None:
        """Cancel all that is under way or left by an earlier process; wait for it."""
        for job in self._running:
            job.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self.engine.cancel()

    def _key(self, identity: str) -> str:
        """The same in a restarted flow run, for the first, second, … call of the same kind."""
        self._calls[identity] += 1
        return hashlib.sha256(f"{identity} {self._calls[identity]}".encode()).hexdigest()[:32]

    def _start(self, request: Request, members: Sequence[Pending]) -> None:
        job = asyncio.get_running_loop().create_task(self._run(request, members))
        self._running.add(job)
        job.add_done_callback(self._running.discard)
        for member in members:
            member.answer.add_done_callback(lambda _: _cancel_if_unwanted(job, members))

    async def _run(self, request: Request, members: Sequence[Pending]) -> None:
        try:
            async with self._places:
                answers = await self._answers(request, members)
        except CrankshaftError as error:
            answers = [NoResult(advised(error), error)] * len(members)
        except Exception as error:  # noqa: BLE001 - a mistake of ours must reach the task runs, not leave them waiting
            for member in members:
                if not member.answer.done():
                    member.answer.set_exception(error)
            return
        for member, answer in zip(members, answers, strict=True):
            if not member.answer.done():
                member.answer.set_result(answer)

    async def _answers(self, request: Request, members: Sequence[Pending]) -> list[Record | NoResult]:
        key = hashlib.sha256(" ".join(member.key for member in members).encode()).hexdigest()[:32]
        files = JobFiles(self._keeping.directory / "results" / key, self._keeping.key)
        reach = self.engine.reach(request.backend)
        task = job_task(_name(members), [member.call for member in members], request, reach, files)
        handle = self.engine.spawn(request.backend, task, key=key if self._keeping.durable else None)
        self._members[handle.id] = members
        try:
            result = await _to_its_end(handle)
        finally:
            del self._members[handle.id]
            self._held.discard(handle.id)
        answers = _read(files, members)
        if not self._keeping.durable:
            files.result.unlink(missing_ok=True)
        message = crash_message(result, image=request.image, python=interpreter(request, reach))
        return [answers.get(number, NoResult(message)) for number in range(len(members))]

    def _tell(self, event: Event) -> None:
        """A task's event is for the logs of its calls, a backend's for the log of the flow run."""
        level = level_of(event)
        if level is None or (isinstance(event, TaskHeld) and event.task in self._held):
            return
        if isinstance(event, TaskHeld):
            self._held.add(event.task)  # it is tried again and again; that it waits is said once
        logs = [self._log]
        if isinstance(event, TaskEvent):
            logs = [member.log for member in self._members.get(event.task, ())]
        for log in logs:
            log.write(line_of(event), level=level)


async def _to_its_end(handle: TaskHandle) -> TaskResult:
    """Its result. Cancelled, the job is cancelled, and this returns once that is confirmed."""
    try:
        return await handle
    except asyncio.CancelledError:
        handle.cancel()
        while not handle.done():
            with contextlib.suppress(asyncio.CancelledError):
                await handle.wait()
        raise


def _read(files: JobFiles, members: Sequence[Pending]) -> dict[int, Record | NoResult]:
    """What was recorded of each call; what they printed and logged goes to their logs."""
    answers: dict[int, Record | NoResult] = {}
    for record in records(files.result, files.key):
        if record.kind == "print":
            members[record.number].log.write(str(record.value))
        elif record.kind == "log":
            members[record.number].log.repeat(record.mapping)
        elif record.kind == "died":
            answers[record.number] = NoResult(f"its process ended with exit code {record.value}")
        elif record.number in range(len(members)):
            answers[record.number] = record
    return answers


def _cancel_if_unwanted(job: asyncio.Task[None], members: Sequence[Pending]) -> None:
    if all(member.answer.done() for member in members) and any(member.answer.cancelled() for member in members):
        job.cancel()


def _name(members: Sequence[Pending]) -> str:
    first, *others = members
    return f"{first.name} and {len(others)} more" if others else first.name
