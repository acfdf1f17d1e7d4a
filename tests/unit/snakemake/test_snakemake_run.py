"""The way of jobs through a run, on a backend in memory."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from crankshaft_core.backends.base import Backend, Cadence
from crankshaft_core.backends.memory import MemoryBackend, System
from crankshaft_core.config import BackendConfig, Config
from crankshaft_core.errors import ConfigError
from crankshaft_core.task import TaskResult
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

    @property
    def rules(self) -> list[str]:
        return [self.name]

    @property
    def rule(self) -> Any:
        return SimpleNamespace(name=self.name, resources=self.resources)

    def is_group(self) -> bool:
        return False

    def get_target_spec(self) -> Sequence[Any]:
        return [SimpleNamespace(rulename=self.name, wildcards_dict=self.wildcards)]


class World:
    """A run, the system under it, and everything it says and reports."""

    def __init__(self) -> None:
        self.system = System()
        self.said: list[str] = []
        self.reported: list[tuple[object, Outcome]] = []
        self.news = threading.Condition()
        self.run = self.new_run()

    def new_run(self, **changes: Any) -> Run:
        known: dict[str, Any] = {
            "backend": None,
            "work_dir": "/w",
            "shared_software": True,
            "env": {"TOKEN": "it's"},
            "jobs": 10,
            "is_preemptible": lambda rule: rule == "cheap",
        }
        return Run(
            Config.parse(CONFIG),
            Surroundings(**{**known, **changes}),
            report=self.report,
            failed=lambda error: pytest.fail(str(error)),
            logger=SimpleNamespace(info=self.said.append),
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


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.run.close()


def test_a_job_becomes_a_task(world: World) -> None:
    world.run.start(FakeJob(wildcards={"sample": "s3", "lane": "1"}, threads=4), "info", INNER)
    (task,) = world.submitted()
    assert task.name == "align[sample=s3,lane=1]"
    assert task.description.endswith(": rule align, sample=s3,lane=1, job 7")
    assert task.resources.cpu == 4
    assert task.executions[0].work_dir == "/w"


def test_its_outcome_is_reported_as_soon_as_it_has_one(world: World) -> None:
    world.run.start(FakeJob(), "info", INNER)
    world.submitted()
    assert world.reported == []
    world.system.end(next(iter(world.system.records)))
    world.wait(lambda: world.reported)
    ((info, outcome),) = world.reported
    assert info == "info"
    assert isinstance(outcome, TaskResult)
    assert outcome.ok


def test_it_gets_the_environment_that_its_backend_lets_through(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/opt/bin")
    monkeypatch.setenv("CONDA_PREFIX", "/conda")
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    world.run.start(FakeJob(), "info", INNER)
    assert world.submitted()[0].executions[0].env == {"PATH": "/opt/bin", "TOKEN": "it's"}


def test_a_rule_chooses_its_backend(world: World) -> None:
    world.run.start(FakeJob(resources={"crankshaft_backend": "two", "queue": "short"}), "info", INNER)
    assert world.submitted()[0].attributes == {"queue": "short"}


def test_preemptible_rules_say_so(world: World) -> None:
    world.run.start(FakeJob(name="cheap"), "info", INNER)
    assert world.submitted()[0].resources.preemptible is True


def test_checking_submits_nothing_and_tells_all_problems(world: World) -> None:
    jobs = [
        FakeJob("a", resources={"crankshaft_backend": "three"}),
        FakeJob("b", resources={"qos": "long"}),
        FakeJob("b", resources={"qos": "long"}),
        FakeJob("c", resources={"crankshaft_backend": "two", "queue": "short"}),
        FakeJob("d", resources={"crankshaft_backend": "nowhere"}, is_local=True),
    ]
    with pytest.raises(ConfigError) as caught:
        world.run.check(jobs)
    first, second = caught.value.problems
    assert first.startswith("rule 'a': crankshaft_backend=three: no backend named 'three'; known: one, two")
    assert second.startswith("rule 'b': qos=long: ")
    assert world.system.records == {}


def test_an_unknown_default_backend_is_told_without_any_job(world: World) -> None:
    run = world.new_run(backend="lfs")
    with pytest.raises(ConfigError, match="no backend named 'lfs'"):
        run.check([])
    run.close()


@pytest.mark.parametrize(
    ("jobs", "text"),
    [
        (2, "backend 'one': at most 2 jobs at once (--jobs)"),
        (10, "backend 'one': at most 3 jobs at once (its max_tasks)"),
        (None, "backend 'one': at most 3 jobs at once (its max_tasks)"),
    ],
)
def test_the_smaller_limit_is_said_once(world: World, jobs: int | None, text: str) -> None:
    run = world.new_run(jobs=jobs)
    run.check([])
    run.start(FakeJob(), "info", INNER)
    run.close()
    assert [line for line in world.said if "at once" in line] == [text]


def test_what_a_backend_has_no_use_for_is_said_once(world: World) -> None:
    for _ in range(2):
        world.run.start(FakeJob(resources={"slurm_partition": "short"}), "info", INNER)
    said = [line for line in world.said if "no use" in line]
    assert said == ["backend 'one' has no use for slurm_partition=short of rule 'align'"]


def test_the_backends_job_is_said(world: World) -> None:
    world.run.start(FakeJob(), "info", INNER)
    world.submitted()
    world.system.end(next(iter(world.system.records)))
    world.wait(lambda: world.reported)
    assert "align: job job-1 on one" in world.said


def test_cancelled_jobs_end_and_are_not_reported(world: World) -> None:
    world.run.start(FakeJob(), "info", INNER)
    world.submitted()
    world.run.cancel()
    assert world.run.live() == []
    assert world.reported == []


def test_live_jobs_are_named_with_the_systems_id(world: World) -> None:
    world.run.start(FakeJob(), "info", INNER)
    world.submitted()
    world.wait(lambda: world.said)
    assert world.run.live() == ["align (one job-1)"]


def test_closing_ends_what_still_runs(world: World) -> None:
    run = world.new_run()
    run.start(FakeJob(), "info", INNER)
    world.submitted()
    run.close()
    assert run.live() == []
    assert world.reported == []
