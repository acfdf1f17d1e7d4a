"""A run on a backend in memory, and the jobs that go into it."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from crankshaft_core.backends.base import Backend, Cadence
from crankshaft_core.backends.memory import MemoryBackend, System
from crankshaft_core.config import BackendConfig, Config
from snakemake_executor_crankshaft.command import InnerRun
from snakemake_executor_crankshaft.reporter import Outcome
from snakemake_executor_crankshaft.run import Run
from snakemake_executor_crankshaft.surroundings import Surroundings

CONFIG = """
    default = "one"
    [[backends]]
    name = "one"
    kind = "Generic"
    max_tasks = 3
    submit = "~{command}"
    env = { CONDA_PREFIX = false }
    [[backends]]
    name = "two"
    kind = "Generic"
    submit = "sbatch -p ~{queue} ~{command}"
"""
INNER = InnerRun("python", "Snakefile", ["--cores", "1"])


@dataclass
class FakeJob:
    """What a run uses of a job of one rule."""

    name: str = "align"
    wildcards: Mapping[str, str] = field(default_factory=dict)
    resources: dict[str, Any] = field(default_factory=dict)
    threads: int = 1
    attempt: int = 1
    jobid: int = 7
    is_local: bool = False
    input: Sequence[str] = ()
    output: Sequence[str] = ("out.txt",)
    log: Sequence[str] = ()
    params: Sequence[object] = ()
    shellcmd: str | None = "true"

    @property
    def rules(self) -> list[str]:
        return [self.name]

    @property
    def rule(self) -> Any:
        others = dict.fromkeys(("script", "notebook", "wrapper", "cwl"))
        return SimpleNamespace(name=self.name, resources=self.resources, **others)

    def is_group(self) -> bool:
        return False

    def get_target_spec(self) -> Sequence[Any]:
        return [SimpleNamespace(rulename=self.name, wildcards_dict=self.wildcards)]


class World:
    """A run, the system under it, and everything it says and reports."""

    def __init__(self, journals: Path | None = None) -> None:
        self.journals = journals
        self.system = System()
        self.said: list[str] = []
        self.reported: list[tuple[object, Outcome]] = []
        self.news = threading.Condition()
        self.run = self.new_run()

    def new_run(self, config: str = CONFIG, **changes: Any) -> Run:
        known: dict[str, Any] = {
            "backend": None,
            "work_dir": "/w",
            "shared_software": True,
            "env": {"TOKEN": "it's"},
            "jobs": 10,
            "is_preemptible": lambda rule: rule == "cheap",
        }
        return Run(
            Config.parse(config),
            Surroundings(**{**known, **changes}),
            report=self.report,
            failed=lambda error: pytest.fail(str(error)),
            logger=SimpleNamespace(info=self.said.append),
            journals=self.journals,
            open_backend=self.open,
        )

    def open(self, config: BackendConfig, *, run_id: str) -> Backend:
        return MemoryBackend(self.system, cadence=Cadence(poll=0.01, slowest_poll=0.02))

    def report(self, info: object, outcome: Outcome) -> None:
        with self.news:
            self.reported.append((info, outcome))
            self.news.notify_all()

    def wait(self, fact: Callable[[], object]) -> None:
        with self.news:
            while not fact():
                assert self.news.wait(0.05) or self.news.wait(20) or fact(), "it never came about"

    def submitted(self, count: int = 1) -> list[Any]:
        end = threading.Event()
        for _ in range(2000):
            if len(self.system.records) >= count:
                break
            end.wait(0.01)
        return [record.attempt.task for record in self.system.records.values()]

    def kill(self) -> None:
        """Let go of everything without a word to the system, as a killed Snakemake does."""
        self.run._reporter.silence()
        for book in self.run._books.all:
            thread = book.engine._running
            asyncio.run_coroutine_threadsafe(thread.engine._close(), thread.loop).result()
        self.run._reporter.close()
        self.reported.clear()

    def start_again(self, config: str = CONFIG, **changes: Any) -> None:
        """Kill it, and begin anew with the same journals."""
        self.kill()
        self.run = self.new_run(config, **changes)

    def starts(self, job: FakeJob) -> str:
        """Start a job that is a new one, wait until the system has it, and return its attempt."""
        before, said = set(self.system.runs), len(self.said)
        self.run.start(job, job.name, INNER)
        until(lambda: any(": job " in line and line.endswith(("on one", "on two")) for line in self.said[said:]))
        (attempt,) = set(self.system.runs) - before
        return attempt

    def takes_up(self, job: FakeJob) -> None:
        """Start a job that an earlier run has started."""
        self.run.start(job, job.name, INNER)

    def outcome(self) -> Outcome:
        """What is reported first."""
        self.wait(lambda: self.reported)
        return self.reported[0][1]


def until(fact: Callable[[], object], *, seconds: float = 20) -> None:
    """Wait until it is so."""
    end = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.005)
