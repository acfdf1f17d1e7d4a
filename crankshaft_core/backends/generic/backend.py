"""Any system with commands to submit, look at and end a job; or, without a job id, plain processes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal

from crankshaft_core.backends.base import Attempt, Cadence, Health, Job, JobState, Outcome
from crankshaft_core.backends.generic.layout import RunPaths
from crankshaft_core.backends.generic.local_process import LocalProcesses
from crankshaft_core.backends.generic.local_runs import LocalRun
from crankshaft_core.backends.generic.outputs import found_here
from crankshaft_core.backends.generic.rendering import Renderer
from crankshaft_core.backends.generic.template import Template
from crankshaft_core.config import GenericConfig
from crankshaft_core.drivers.base import Driver
from crankshaft_core.drivers.local import LocalDriver
from crankshaft_core.staging import Reach
from crankshaft_core.task import Output, Verdict

__all__ = ["GenericBackend"]


class GenericBackend:
    """The Generic kind, as `Backend` promises."""

    def __init__(self, config: GenericConfig, *, run_id: str, driver: Driver | None = None) -> None:
        self._config = config
        self._driver = driver or LocalDriver()
        self._run = LocalRun(
            RunPaths(str(_work_dir(config) / run_id)), setup=config.wrapper_env or "", prologue=config.prologue or ""
        )
        shell = config.shell.split()[0]
        self._renderer = Renderer(
            config,
            self._run.paths,
            Template.parse(config.submit, label="submit"),
            env_file=False,
            shell=shutil.which(shell),
        )
        self._mode = LocalProcesses(
            self._run, self._renderer, bash=shutil.which("bash") or "/bin/bash", keep=config.keep_dirs
        )

    @property
    def cadence(self) -> Cadence:
        return _cadence(self._config)

    @property
    def reach(self) -> Reach:
        return Reach(local_paths=True, transfers=True)

    @property
    def enforces_time(self) -> bool:
        return True

    def listen(self, wake: Callable[[], None]) -> None:
        self._mode.listen(wake)

    def script(self, attempt: Attempt) -> str:
        return self._renderer.job(attempt).script()

    async def submit(self, attempt: Attempt) -> str:
        return await self._mode.submit(attempt)

    async def poll(self, jobs: Collection[Job], *, sweep: bool) -> Mapping[str, JobState]:
        return await self._mode.poll(jobs)

    async def result(self, job: Job) -> Outcome:
        return await self._mode.result(job)

    async def diagnose(self, jobs: Collection[Job]) -> Mapping[str, Outcome]:
        return await self._mode.diagnose(jobs)

    async def cancel(self, jobs: Collection[Job], *, force: bool) -> None:
        await self._mode.cancel(jobs, force=force)

    async def collect(self, job: Job, outputs: Sequence[Output], scratch: Path) -> Mapping[str, Path | None]:
        header = self._run.header(job.attempt)
        return found_here(outputs, header.cwd if header else "", who=job.attempt)

    async def read(self, job: Job, stream: Literal["stdout", "stderr"], offset: int) -> bytes:
        return self._mode.read(job, stream, offset)

    async def release(self, ended: Mapping[Job, Verdict]) -> None:
        self._mode.release(ended)

    async def check(self) -> Health:
        return Health(True, "")

    async def aclose(self) -> None:
        self._mode.close()
        await self._driver.aclose()


def _work_dir(config: GenericConfig) -> Path:
    return Path(config.work_dir or ".crankshaft").expanduser().absolute()


def _cadence(config: GenericConfig) -> Cadence:
    default = Cadence()
    return Cadence(
        poll=config.poll_interval or default.poll,
        slowest_poll=max(default.slowest_poll, config.poll_interval or 0),
        sweep=config.sweep_interval or default.sweep,
        grace=default.grace if config.grace is None else config.grace,
        kill_after=default.kill_after if config.kill_after is None else config.kill_after,
        cancel_timeout=default.cancel_timeout if config.cancel_timeout is None else config.cancel_timeout,
    )
