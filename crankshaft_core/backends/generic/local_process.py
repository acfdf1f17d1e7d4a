"""Process mode on this machine: the work is a child of ours, and its files are read directly."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Literal

from crankshaft_core.backends.base import Attempt, Job, JobState, Outcome, Phase
from crankshaft_core.backends.environment import is_kept_back
from crankshaft_core.backends.generic import processes
from crankshaft_core.backends.generic.children import Children
from crankshaft_core.backends.generic.jobscript import variables
from crankshaft_core.backends.generic.local_runs import LocalRun
from crankshaft_core.backends.generic.outputs import found_here
from crankshaft_core.backends.generic.processes import MARK, ProcessId
from crankshaft_core.backends.generic.rendering import Renderer
from crankshaft_core.backends.generic.room import no_room
from crankshaft_core.errors import StagingError, SubmitError, TransportError
from crankshaft_core.task import Output, Verdict

__all__ = ["LocalProcesses"]

_CANCELLED = "cancelled"
"""The owner of the start lock of an attempt that must not run any more."""


class LocalProcesses:
    """Jobs are detached processes of this machine. Their id is `host:pid:start time`."""

    def __init__(self, run: LocalRun, renderer: Renderer, *, bash: str, keep: bool, wake: Callable[[], None]) -> None:
        self._run = run
        self._renderer = renderer
        self._bash = bash
        self._keep = keep
        self._children = Children(wake)
        self._forced: set[str] = set()
        self._closed = False
        self._chores = ThreadPoolExecutor(1, thread_name_prefix="crankshaft-chores")
        """Copies inputs, and removes what is left of successful attempts: a few milliseconds each on some disks."""

    async def submit(self, attempt: Attempt) -> str:
        """Start the work. Raises SubmitError, StagingError."""
        started = self._children.id(attempt.id)
        if started is not None:
            return str(started)
        owner = self._run.owner(attempt.id)
        if owner is not None:
            return owner
        job = self._renderer.job(attempt)
        env = {**self._inherited(), **encoded(variables(job.steps)), os.fsencode(MARK): os.fsencode(attempt.id)}
        write = functools.partial(self._run.write, job)
        try:
            if attempt.inputs:
                await asyncio.get_running_loop().run_in_executor(self._chores, write)
            else:
                write()
            argv = [self._bash, job.paths.job]
            return str(self._children.start(attempt.id, argv, env=env, log=job.paths.log))
        except OSError as error:
            raise SubmitError(
                self._no_room(error) or f"{self._renderer.config.name}: {attempt.task.name} cannot be started: {error}"
            ) from error

    async def poll(self, jobs: Collection[Job], *, sweep: bool) -> Mapping[str, JobState]:
        """Ask the kernel and the exit records; it costs nothing, so every poll is a sweep."""
        del sweep
        states = ((job.attempt, self._state(job)) for job in jobs)
        return {attempt: state for attempt, state in states if state is not None}

    async def result(self, job: Job) -> Outcome:
        """From the exit record. Raises TransportError where there is none (yet)."""
        record = self._run.record(job.attempt)
        if record is None:
            raise TransportError(f"{job.attempt} has left no exit record")
        usage = self._children.usage(job.attempt)
        outcome = self._run.with_streams(job.attempt, record.outcome())
        if usage is None:
            return outcome
        return replace(outcome, peak_ram=usage.peak_ram, cpu_time=usage.cpu_time)

    async def diagnose(self, jobs: Collection[Job]) -> Mapping[str, Outcome]:
        """They ended without a record; nothing of them is left running."""
        await self.cancel(jobs, force=True)
        return {job.attempt: self._run.with_streams(job.attempt, self._lost(job)) for job in jobs}

    async def cancel(self, jobs: Collection[Job], *, force: bool) -> None:
        """The wrapper passes TERM on to its group; whoever has left the group is signalled directly."""
        roots = self._roots(jobs)
        table = processes.table()
        owner = processes.own(roots, table)
        groups = {seen.pid for seen in table.values() if seen.parent in roots}
        others = [pid for pid in owner if pid not in roots]
        if not force:
            processes.send(signal.SIGTERM, [pid for pid in others if table[pid].group not in groups])
            processes.send(signal.SIGTERM, [pid for pid in roots if pid > 0])
            return
        processes.send(signal.SIGKILL, others)
        for pid, attempt in roots.items():
            if pid > 0:  # the wrapper still writes its record, unless it has been asked before
                processes.send(signal.SIGKILL if attempt in self._forced else signal.SIGVTALRM, [pid])
        self._forced |= set(roots.values())

    async def collect(self, job: Job, outputs: Sequence[Output], scratch: Path) -> Mapping[str, Path | None]:
        """As `Backend.collect`: they stay where they are."""
        del scratch
        header = self._run.header(job.attempt)
        if header is None:
            raise StagingError(f"{job.attempt} has left no directory in {self._run.paths.tasks}")
        moved = header.own.moved(outputs)
        found = found_here(list(moved.values()), header.cwd, who=job.attempt)
        return {path: found[output.path] for path, output in moved.items()}

    async def read(self, job: Job, stream: Literal["stdout", "stderr"], offset: int) -> bytes:
        """As `Backend.read`."""
        return self._run.read(job.attempt, stream, offset)

    async def release(self, ended: Mapping[Job, Verdict]) -> None:
        """Records are put aside, and what is left of successful attempts goes."""
        for job, verdict in ended.items():
            self._run.acknowledge(job.attempt)
            self._children.forget(job.attempt)
            self._forced.discard(job.attempt)
            if verdict is Verdict.OK and not self._keep:
                self._chores.submit(self._run.prune, job.attempt)

    async def aclose(self) -> None:
        """Let go of descriptors and threads; jobs are not touched. Repeatable."""
        if self._closed:
            return
        self._closed = True
        self._children.close()
        await asyncio.get_running_loop().run_in_executor(self._chores, self._run.remove_if_empty)
        self._chores.shutdown(wait=False)

    def _no_room(self, error: OSError) -> str | None:
        """What to tell where the disk is full."""
        config = self._renderer.config
        begun = [path.parent.name for path in Path(self._run.paths.tasks).glob("*/start")]
        running = sum(not self._run.ended(attempt) for attempt in begun)
        work_dir = config.work_dir or ".crankshaft"
        return no_room(str(error), name=config.name, work_dir=work_dir, running=running)

    def _inherited(self) -> Mapping[bytes, bytes]:
        """Our own environment, without what the configuration keeps back."""
        keeps = self._renderer.config.env
        if not keeps.deny:
            return os.environb
        return {name: value for name, value in os.environb.items() if not is_kept_back(os.fsdecode(name), keeps)}

    def _state(self, job: Job) -> JobState | None:
        """What is known without asking anybody. The record is looked for after the process: it is written before."""
        child = self._children.id(job.attempt)
        if child is not None and self._children.is_watched(job.attempt):
            return JobState(Phase.RUNNING, id=None if str(child) == job.id else str(child), node=child.host)
        process = self._process(job)
        if process is None:
            return JobState(Phase.ENDED) if self._run.ended(job.attempt) else JobState(Phase.MISSING)
        alive = process.alive()
        changed = str(process) if str(process) != job.id else None
        record = self._run.record(job.attempt) if not alive else None
        if record is not None or (alive and self._run.ended(job.attempt)):
            return JobState(Phase.ENDED, id=changed)
        if alive:
            return JobState(Phase.RUNNING, id=changed, node=process.host)
        return JobState(Phase.MISSING) if process.here else None

    def _process(self, job: Job) -> ProcessId | None:
        """The process that has, or will have, the start lock."""
        for text in (self._run.owner(job.attempt), job.id):
            process = ProcessId.parse(text) if text else None
            if process is not None:
                return process
        return self._children.id(job.attempt)

    def _roots(self, jobs: Collection[Job]) -> Mapping[int, str]:
        """The wrappers that live, by process number; below 0 for an attempt that has none here."""
        roots: dict[int, str] = {}
        for number, job in enumerate(jobs, start=1):
            if job.id is None:
                self._run.claim(job.attempt, _CANCELLED)
            process = self._process(job)
            roots[process.pid if process is not None and process.alive() else -number] = job.attempt
        return roots

    def _lost(self, job: Job) -> Outcome:
        usage = self._children.usage(job.attempt)
        ended = f"process {job.id} ended without an exit record"
        if usage is not None and usage.status < 0:
            ended += f", killed by signal {signal.Signals(-usage.status).name}"
        elif usage is None:
            ended += "; it was killed, or the machine was restarted"
        said = self._run.log(job.attempt)
        return Outcome(Verdict.LOST, detail=f"{ended}. {said}" if said else ended)


def encoded(env: Mapping[str, str]) -> dict[bytes, bytes]:
    """As the kernel takes it, which spares each start the decoding of our own environment."""
    return {os.fsencode(name): os.fsencode(value) for name, value in env.items()}
