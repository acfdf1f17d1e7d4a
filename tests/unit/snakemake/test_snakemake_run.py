"""The way of jobs through a run, on a backend in memory."""

from collections.abc import Iterator

import pytest

from crankshaft_core.errors import ConfigError
from crankshaft_core.task import TaskResult
from tests.unit.snakemake.world import INNER, FakeJob, World


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
