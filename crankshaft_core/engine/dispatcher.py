"""The way of one task on one backend: a place, stage in, journal, submit, wait, result, stage out, retry or finish."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import logging
import shutil
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Executor
from pathlib import Path

from crankshaft_core.backends.base import Attempt, Backend, Job, Outcome
from crankshaft_core.config import Retry
from crankshaft_core.engine.cancellation import Cancellation
from crankshaft_core.engine.lane import Lane
from crankshaft_core.engine.live import LiveTask, Withdrawn
from crankshaft_core.engine.results import error_of, from_journal, result_of, to_journal
from crankshaft_core.engine.submission import Submission
from crankshaft_core.engine.watch import Watch
from crankshaft_core.errors import (
    AnswerLostError,
    BackendError,
    StagingError,
    TransportError,
)
from crankshaft_core.events import (
    Event,
    TaskCancelled,
    TaskEnded,
    TaskFailed,
    TaskQueued,
    TaskRetried,
    TaskSubmitted,
)
from crankshaft_core.journal import Entry, Journal, Stage
from crankshaft_core.staging import stage_in, stage_out
from crankshaft_core.task import Output, Resources, Task, TaskResult, Verdict

__all__ = ["Dispatcher"]

_log = logging.getLogger(__name__)


class Dispatcher:
    """One named backend at work: its lane, its gate, its poller, its cancellations and the tasks on their way."""

    def __init__(
        self,
        name: str,
        backend: Backend,
        *,
        retry: Retry,
        lane: Lane,
        journal: Journal,
        scratch: Path,
        executor: Executor,
        publish: Callable[[Event], None],
        located: Callable[[str], str],
    ) -> None:
        self.name = name
        self.backend = backend
        self._retry = retry
        self._lane = lane
        self._journal = journal
        self._scratch = scratch
        self._executor = executor
        self._publish = publish
        self._watch = Watch(name, backend, publish=publish, found=self._found, started=self._started)
        self._cancellation = Cancellation(backend, self._watch)
        self._submission = Submission(backend, self._watch, self._cancellation, publish=publish, located=located)
        self._drives: dict[asyncio.Task[None], LiveTask] = {}
        backend.listen(self._watch.wake)
        self._poller = asyncio.get_running_loop().create_task(self._watch.run(), name=f"crankshaft-poll-{name}")

    def start(self, live: LiveTask) -> None:
        """Take the task on its way. Its `done` future tells how it came out."""
        self._drive_as(live, self._drive(live))

    def adopt(self, live: LiveTask) -> None:
        """Take a job that an earlier client left running: it takes its place first, whether or not one is free."""
        self._lane.seize()
        assert live.entry is not None
        live.job = Job(live.entry.attempt, self._journal.run_id, live.entry.job)
        self._drive_as(live, self._drive_adopted(live))

    def claim(self, live: LiveTask, task: Task) -> None:
        """An adopted job gets its task: from now on it is on its way like any other."""
        live.task, live.name = task, task.name
        asyncio.get_running_loop().call_soon(functools.partial(self._publish_submitted, live, attached=True))

    async def aclose(self) -> None:
        """Stop polling, release what can be released, let go of the backend. Jobs are not touched."""
        await self._cancellation.aclose()
        self._submission.close()
        for task in (self._poller, *self._drives):
            task.cancel()
        await asyncio.gather(self._poller, *self._drives, return_exceptions=True)
        await self._watch.last_flush()
        await self.backend.aclose()

    def _drive_as(self, live: LiveTask, way: Coroutine[None, None, None]) -> None:
        live.on_cancel = self._cancel
        drive = asyncio.get_running_loop().create_task(way)
        self._drives[drive] = live
        drive.add_done_callback(self._driven)

    def _driven(self, drive: asyncio.Task[None]) -> None:
        """A task that its loop stopped in the middle leaves nobody waiting for it."""
        live = self._drives.pop(drive)
        if not live.done.done():
            live.done.cancel()

    async def _drive(self, live: LiveTask) -> None:
        """Everything between `spawn` and `done`, for a task that holds no place yet."""
        try:
            await self._take_place(live)
        except Withdrawn:
            self._finish_cancelled(live)
            return
        await self._drive_placed(live)

    async def _drive_adopted(self, live: LiveTask) -> None:
        """Wait for a job without a task: note its outcome, and leave the rest to whoever claims it."""
        outcome: Outcome | None = None
        try:
            outcome = await self._until_ended(live)
        except BackendError as error:
            self._finish_failed(live, error)
        finally:
            if outcome is None or live.task is None:
                self._lane.leave()
        if outcome is not None and live.task is None:
            self._note(live, Stage.ENDED, to_journal(outcome, {}))
            live.done.set_result(result_of(live, outcome, {}))
        elif outcome is not None:
            await self._drive_placed(live, outcome)

    async def _drive_placed(self, live: LiveTask, outcome: Outcome | None = None) -> None:
        try:
            result = await self._attempts(live, outcome)
            error = error_of(live, result)
        except Withdrawn:
            self._finish_cancelled(live)
        except BackendError as failure:
            self._finish_failed(live, failure)
        except Exception as bug:  # noqa: BLE001 - a mistake of ours must reach the caller, not end in a task nobody awaits
            _log.exception("%s: unforeseen", live.id)
            self._finish_failed(live, bug)
        else:
            if error is None:
                self._finish(live, result)
            else:
                self._finish_failed(live, error)
        finally:
            self._lane.leave()

    async def _take_place(self, live: LiveTask) -> None:
        self._publish(TaskQueued(live.id, live.name, live.backend))
        waiting = self._lane.enter()
        if waiting is None:
            return
        try:
            await live.wait(waiting)
        except BaseException:
            self._lane.leave(waiting)
            raise

    async def _attempts(self, live: LiveTask, outcome: Outcome | None) -> TaskResult:
        """Attempt after attempt, until one is not to be repeated."""
        while True:
            if outcome is None:
                outcome = await self._attempt(live)
            if live.cancelled and outcome.verdict is not Verdict.OK:
                await self._conclude(live, outcome, {})
                raise Withdrawn
            if not self._is_repeated(live, outcome):
                outputs = await self._collect(live, outcome)
                await self._conclude(live, outcome, outputs)
                return result_of(live, outcome, outputs)
            await self._conclude(live, outcome, {})
            self._publish(
                TaskRetried(live.id, live.name, live.backend, live.attempt_id, outcome.verdict, outcome.detail)
            )
            self._prepare_retry(live, outcome.verdict)
            outcome = None

    async def _attempt(self, live: LiveTask) -> Outcome:
        """One attempt from wherever the journal says it stands, to its outcome."""
        entry = live.entry
        if entry is not None and entry.stage is Stage.ENDED and entry.outcome is not None:
            live.job = Job(entry.attempt, self._journal.run_id, entry.job)
            return from_journal(entry.outcome)[0]
        if entry is not None and entry.stage is Stage.SUBMITTED:
            live.job = Job(entry.attempt, self._journal.run_id, entry.job)
            self._publish_submitted(live, attached=True)
            return await self._until_ended(live)
        attempt = await self._prepare(live, again=entry is not None)
        self._note(live, Stage.INTENDED)
        await self._journal.commit()
        try:
            job_id = await self._submission.submit(live, attempt)
        except BaseException:
            self._note(live, Stage.FINISHED, to_journal(Outcome(Verdict.REJECTED), {}))
            raise
        live.job = Job(attempt.id, attempt.run, job_id)
        self._note(live, Stage.SUBMITTED)
        self._publish_submitted(live, attached=False)
        return await self._until_ended(live)

    async def _prepare(self, live: LiveTask, *, again: bool) -> Attempt:
        """The attempt with its inputs staged."""
        assert live.task is not None
        attempt = Attempt(id=live.attempt_id, run=self._journal.run_id, number=live.number, task=live.task, again=again)
        if live.task.inputs:
            scratch = self._scratch / attempt.id
            staged = await asyncio.get_running_loop().run_in_executor(
                self._executor, stage_in, live.task.inputs, self.backend.reach, scratch
            )
            attempt = dataclasses.replace(attempt, inputs=staged, scratch=scratch)
        live.attempt = attempt
        return attempt

    async def _until_ended(self, live: LiveTask) -> Outcome:
        """Watch the job to its end, and fetch how it came out."""
        live.ended = asyncio.get_running_loop().create_future()
        live.asked_to_end = None
        self._watch.add(live)
        if live.cancelled:
            self._cancellation.add(live)
        try:
            outcome = await live.ended
        finally:
            self._watch.discard(live)
            if live.timer is not None:
                live.timer.cancel()
        if outcome is None:
            outcome = await self._result(live)
        self._submission.job_ended()
        if live.stopped_for is not None and outcome.verdict is not Verdict.OK:
            outcome = dataclasses.replace(outcome, verdict=live.stopped_for)
        return outcome

    async def _result(self, live: LiveTask) -> Outcome:
        """Ask until the backend answers: the job has ended, and only its record is not here yet."""
        assert live.job is not None
        delay = self.backend.cadence.poll
        while True:
            try:
                return await self.backend.result(live.job)
            except (TransportError, AnswerLostError) as error:
                _log.info("%s: result not to be had now, asking again in %.1f s: %s", live.name, delay, error)
            await asyncio.sleep(delay)
            delay = min(2 * delay, 60.0)

    def _is_repeated(self, live: LiveTask, outcome: Outcome) -> bool:
        wanted = outcome.verdict in self._retry.on and live.number < self._retry.attempts
        return wanted and live.task is not None

    def _prepare_retry(self, live: LiveTask, verdict: Verdict) -> None:
        """The next attempt; the last one after a preemption asks for a machine that stays."""
        live.new_attempt(live.number + 1)
        if verdict is Verdict.PREEMPTED and live.number == self._retry.attempts and live.task is not None:
            stays = live.task.resources.model_copy(update={"preemptible": False})
            live.task = live.task.model_copy(update={"resources": stays})

    async def _collect(self, live: LiveTask, outcome: Outcome) -> dict[str, str]:
        """Fetch the outputs of a task that succeeded, or the logs of another, and copy them to their URLs."""
        ok = outcome.verdict is Verdict.OK
        if live.task is None or live.job is None or not any(ok or output.always for output in live.task.outputs):
            return {}
        self._note(live, Stage.ENDED, to_journal(outcome, {}))
        if not ok:
            return await self._salvage(live, live.task)
        try:
            return await self._fetch(live.job, live.task.outputs, self._scratch / live.attempt_id)
        except StagingError as error:
            error.result = result_of(live, outcome, await self._salvage(live, live.task))
            raise

    async def _salvage(self, live: LiveTask, task: Task) -> dict[str, str]:
        """Each by itself, as far as it is there; that it is not is no news of a task that failed."""
        kept: dict[str, str] = {}
        assert live.job is not None
        for number, output in enumerate(task.outputs):
            if output.always:
                try:
                    kept |= await self._fetch(live.job, [output], self._scratch / live.attempt_id / f"kept-{number}")
                except BackendError as error:
                    _log.info("%s: %s", live.name, error)
        return kept

    async def _fetch(self, job: Job, outputs: Sequence[Output], scratch: Path) -> dict[str, str]:
        collected = await self.backend.collect(job, outputs, scratch)
        return await asyncio.get_running_loop().run_in_executor(self._executor, stage_out, outputs, collected)

    async def _conclude(self, live: LiveTask, outcome: Outcome, outputs: dict[str, str]) -> None:
        """Journal the end, then let the backend forget the job."""
        self._note(live, Stage.FINISHED, to_journal(outcome, outputs))
        await self._journal.commit()
        if live.job is not None:
            live.release(functools.partial(self._watch.release, live.job, outcome.verdict))
        if live.attempt is not None and live.attempt.scratch is not None:
            await asyncio.get_running_loop().run_in_executor(
                self._executor, _remove, live.attempt.scratch, set(outputs.values())
            )

    def _note(self, live: LiveTask, stage: Stage, outcome: str | None = None) -> None:
        self._journal.put(
            Entry(
                attempt=live.attempt_id,
                task=live.serial,
                number=live.number,
                key=live.key,
                backend=live.backend,
                name=live.name,
                job=live.job.id if live.job else None,
                stage=stage,
                outcome=outcome,
            )
        )

    def _cancel(self, live: LiveTask) -> None:
        if live.job is not None and live.ended is not None and not live.ended.done():
            self._cancellation.add(live)

    def _found(self, live: LiveTask) -> None:
        """The poll learned the job's id, or that it changed."""
        self._note(live, Stage.SUBMITTED)
        live.locate()

    def _started(self, live: LiveTask) -> None:
        wanted: Resources | None = live.task.resources if live.task else None
        if wanted is not None and wanted.time is not None and not self.backend.enforces_time:
            live.timer = asyncio.get_running_loop().call_later(wanted.time, self._overdue, live)

    def _overdue(self, live: LiveTask) -> None:
        live.stopped_for = Verdict.TIME_LIMIT
        self._cancellation.add(live)

    def _publish_submitted(self, live: LiveTask, *, attached: bool) -> None:
        job = (live.job.id if live.job else None) or live.attempt_id
        self._publish(TaskSubmitted(live.id, live.name, live.backend, live.attempt_id, job, attached))

    def _finish(self, live: LiveTask, result: TaskResult) -> None:
        _resolve(live, result)
        self._publish(TaskEnded(live.id, live.name, live.backend, result))

    def _finish_failed(self, live: LiveTask, error: Exception) -> None:
        _resolve(live, error)
        if len(self._drives) == 1:
            self._submission.at_rest()
        self._publish(TaskFailed(live.id, live.name, live.backend, error))

    def _finish_cancelled(self, live: LiveTask) -> None:
        live.done.cancel()
        self._publish(TaskCancelled(live.id, live.name, live.backend))


def _resolve(live: LiveTask, how: TaskResult | Exception) -> None:
    if live.done.done():
        return
    if isinstance(how, TaskResult):
        live.done.set_result(how)
    else:
        live.done.set_exception(how)
        live.done.exception()  # whoever cares asks the handle; nobody asking is no warning


def _remove(scratch: Path, keep: set[str]) -> None:
    """Drop what was staged, unless a result points into it."""
    if not any(Path(place).is_relative_to(scratch) for place in keep if place.startswith("/")):
        shutil.rmtree(scratch, ignore_errors=True)
