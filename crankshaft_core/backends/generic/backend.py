"""Any system with commands to submit, look at and end a job; or, without a job id, plain processes."""

from __future__ import annotations

import shlex
import shutil
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
    Shown,
)
from crankshaft_core.backends.generic.checking import check
from crankshaft_core.backends.generic.gather import Allowance
from crankshaft_core.backends.generic.images import Images
from crankshaft_core.backends.generic.known_queues import KnownQueues
from crankshaft_core.backends.generic.layout import RunPaths
from crankshaft_core.backends.generic.leftovers import Leftovers
from crankshaft_core.backends.generic.local_process import LocalProcesses
from crankshaft_core.backends.generic.local_runs import LocalRun
from crankshaft_core.backends.generic.remote_process import RemoteProcesses
from crankshaft_core.backends.generic.rendering import Renderer, ignores_images
from crankshaft_core.backends.generic.scheduler import Scheduler
from crankshaft_core.backends.generic.scripted import ScriptedJobs
from crankshaft_core.backends.generic.site import Site
from crankshaft_core.backends.generic.template import Template
from crankshaft_core.config import GenericConfig
from crankshaft_core.drivers.base import Driver
from crankshaft_core.drivers.local import LocalDriver
from crankshaft_core.staging import Reach
from crankshaft_core.task import Output, Verdict

__all__ = ["GenericBackend"]

_SUBMIT_RATE = 10.0
_SUBMIT_BURST = 50
"""Submits a second, and how many of them at once, unless the configuration says otherwise."""


class GenericBackend:
    """The Generic kind, as `Backend` promises. `driver` stands in for the one that the `locale` asks for."""

    def __init__(self, config: GenericConfig, *, run_id: str, driver: Driver | None = None) -> None:
        self._config = config
        self._run_id = run_id
        self._submit = Template.parse(config.submit, label="submit")
        self._driver = driver or _driver(config)
        self._wake: Callable[[], None] = _nobody
        self._mode = self._make_mode()
        self._images = self._make_images()

    @property
    def cadence(self) -> Cadence:
        """As `Backend.cadence`."""
        return _cadence(self._config, local=self._driver.local)

    @property
    def reach(self) -> Reach:
        """As `Backend.reach`."""
        return Reach(local_paths=self._driver.local, transfers=True)

    @property
    def enforces_time(self) -> bool:
        """Always: the wrapper, and beyond it the scheduler where the template tells it the time."""
        return True

    def listen(self, wake: Callable[[], None]) -> None:
        """As `Backend.listen`. Only children of this process tell by themselves that they have ended."""
        self._wake = wake

    def script(self, attempt: Attempt) -> str:
        """As `Backend.script`: the command that hands the job over, and the files it needs."""
        return self._renderer(RunPaths(f"{_work_dir(self._config, self._driver)}/{self._run_id}")).preview(attempt)

    async def submit(self, attempt: Attempt) -> str:
        """As `Backend.submit`, when its images are there."""
        if self._images is not None:
            await self._images.ensure(attempt.task)
        return await self._mode.submit(attempt)

    async def poll(self, jobs: Collection[Job], *, sweep: bool) -> Mapping[str, JobState]:
        """As `Backend.poll`."""
        return await self._mode.poll(jobs, sweep=sweep)

    async def result(self, job: Job) -> Outcome:
        """As `Backend.result`."""
        return await self._mode.result(job)

    async def diagnose(self, jobs: Collection[Job]) -> Mapping[str, Outcome]:
        """As `Backend.diagnose`."""
        return await self._mode.diagnose(jobs)

    async def cancel(self, jobs: Collection[Job], *, force: bool) -> None:
        """As `Backend.cancel`."""
        await self._mode.cancel(jobs, force=force)

    async def collect(self, job: Job, outputs: Sequence[Output], scratch: Path) -> Mapping[str, Path | None]:
        """As `Backend.collect`."""
        return await self._mode.collect(job, outputs, scratch)

    async def read(self, job: Job, stream: Literal["stdout", "stderr"], offset: int) -> bytes:
        """As `Backend.read`."""
        return await self._mode.read(job, stream, offset)

    async def release(self, ended: Mapping[Job, Verdict]) -> None:
        """As `Backend.release`: directories of successful attempts go, unless `keep_dirs`."""
        await self._mode.release(ended)

    async def shown(self) -> Sequence[Shown]:
        """As `Backend.shown`."""
        return await self._leftovers().shown()

    async def clean(self, cleaning: Cleaning) -> Sequence[Leftover]:
        """As `Backend.clean`: directories of runs."""
        return await self._leftovers().clean(cleaning)

    async def check(self) -> Health:
        """As `Backend.check`."""
        return await check(self._config, self._driver, work_dir=_work_dir(self._config, self._driver))

    async def aclose(self) -> None:
        """As `Backend.aclose`."""
        try:
            if self._images is not None:
                await self._images.aclose()
            await self._mode.aclose()
        finally:
            await self._driver.aclose()

    def _leftovers(self) -> Leftovers:
        return Leftovers(self._config, self._driver, work_dir=_work_dir(self._config, self._driver))

    def _woken(self) -> None:
        self._wake()

    def _make_mode(self) -> _Mode:
        config, batch = self._config, self._config.job_id_regex is not None
        if self._driver.local and not batch:
            run = LocalRun(
                RunPaths(f"{_work_dir(config, self._driver)}/{self._run_id}"),
                setup=config.wrapper_env or "",
                prologue=config.prologue or "",
            )
            bash = shutil.which("bash") or "/bin/bash"
            renderer = self._renderer(run.paths)
            return LocalProcesses(run, renderer, bash=bash, keep=config.keep_dirs, wake=self._woken)
        rate, burst = config.submit_rate or _SUBMIT_RATE, config.submit_burst or _SUBMIT_BURST
        site = Site(config, run_id=self._run_id, driver=self._driver)
        return ScriptedJobs(
            site,
            Scheduler(config) if batch else RemoteProcesses(config.name),
            renderer=self._renderer,
            allowance=Allowance(rate, burst=burst) if batch else None,
            keep=config.keep_dirs,
            queues=KnownQueues(config, site),
            most_jobs=config.max_user_jobs,
            max_attempts=config.max_attempts,
        )

    def _make_images(self) -> Images | None:
        runtime = self._config.container
        if runtime is None or ignores_images(self._config, self._submit):
            return None
        return Images(self._config, self._driver, runtime=runtime, work_dir=_work_dir(self._config, self._driver))

    def _renderer(self, paths: RunPaths) -> Renderer:
        batch = self._config.job_id_regex is not None
        by_file = batch or not self._driver.local
        shell = None if by_file else shutil.which(shlex.split(self._config.shell)[0])
        here = self._driver.local
        return Renderer(self._config, paths, self._submit, env_file=by_file, shell=shell, local=here)


class _Mode(Protocol):
    """What differs between children of this process and jobs reached by scripts."""

    async def submit(self, attempt: Attempt) -> str: ...
    async def poll(self, jobs: Collection[Job], *, sweep: bool) -> Mapping[str, JobState]: ...
    async def result(self, job: Job) -> Outcome: ...
    async def diagnose(self, jobs: Collection[Job]) -> Mapping[str, Outcome]: ...
    async def cancel(self, jobs: Collection[Job], *, force: bool) -> None: ...
    async def collect(self, job: Job, outputs: Sequence[Output], scratch: Path) -> Mapping[str, Path | None]: ...
    async def read(self, job: Job, stream: Literal["stdout", "stderr"], offset: int) -> bytes: ...
    async def release(self, ended: Mapping[Job, Verdict]) -> None: ...
    async def aclose(self) -> None: ...


def _nobody() -> None:
    """Nobody listens yet."""


def _driver(config: GenericConfig) -> Driver:
    """Here or over SSH, as the locale says; `Auto`: here if the submit command is."""
    locale = config.locale
    here = locale.kind == "Local" or (locale.kind == "Auto" and shutil.which(config.submit.split()[0]) is not None)
    if here:
        return LocalDriver()
    from crankshaft_core.drivers.ssh import SSHDriver

    return SSHDriver.of(locale, name=config.name)


def _work_dir(config: GenericConfig, driver: Driver) -> str:
    if driver.local:
        return str(Path(config.work_dir or ".crankshaft").expanduser().absolute())
    return config.work_dir or "~/.crankshaft"


def _cadence(config: GenericConfig, *, local: bool) -> Cadence:
    # The poll lists a directory and asks no scheduler. A step that lasts a second should not wait another for it.
    poll = config.poll_interval or (0.5 if local else 2.0)
    default = Cadence()
    return Cadence(
        poll=poll,
        slowest_poll=max(default.slowest_poll, poll),
        sweep=config.sweep_interval or default.sweep,
        grace=default.grace if config.grace is None else config.grace,
        kill_after=default.kill_after if config.kill_after is None else config.kill_after,
        cancel_timeout=default.cancel_timeout if config.cancel_timeout is None else config.cancel_timeout,
    )
