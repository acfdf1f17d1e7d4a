"""A killed Snakemake is started again: which jobs are taken up, and which are run anew."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from crankshaft_core.backends.base import Phase
from crankshaft_core.errors import ConfigError, JournalError
from crankshaft_core.journal import Stage
from crankshaft_core.task import TaskResult, Verdict
from snakemake_executor_crankshaft.identity import identity_of
from snakemake_executor_crankshaft.modes import Mode, Ways
from snakemake_executor_crankshaft.shipping import Shipping
from tests.unit.snakemake.world import CONFIG, INNER, FakeJob, World, until


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "journals")
    yield world
    world.run.close()


@pytest.fixture
def job(tmp_path: Path) -> FakeJob:
    given = tmp_path / "in.txt"
    given.touch()
    return FakeJob(input=[str(given)], output=[str(tmp_path / "out.txt")], shellcmd="make out.txt")


def end(world: World, job: FakeJob, attempt: str) -> None:
    """The job comes to a good end, and makes what it is to make."""
    for name in job.output:
        Path(name).touch()
    world.system.end(attempt)


def has_ended(world: World, attempt: str) -> bool:
    record = world.system.records.get(attempt)
    return record is None or record.phase is Phase.ENDED


def runs(world: World) -> int:
    return sum(world.system.runs.values())


def test_a_job_that_still_runs_is_taken_up(world: World, job: FakeJob) -> None:
    attempt = world.starts(job)
    world.start_again()
    world.takes_up(job)
    end(world, job, attempt)
    outcome = world.outcome()
    assert isinstance(outcome, TaskResult)
    assert outcome.ok
    assert runs(world) == 1


def test_that_it_is_taken_up_is_said(world: World, job: FakeJob) -> None:
    attempt = world.starts(job)
    world.start_again()
    world.takes_up(job)
    end(world, job, attempt)
    world.outcome()
    assert "align: job job-1 on one, taken up again" in world.said


def test_a_job_that_ended_meanwhile_is_not_run_again(world: World, job: FakeJob) -> None:
    attempt = world.starts(job)
    world.kill()
    end(world, job, attempt)
    world.run = world.new_run()
    world.takes_up(job)
    assert isinstance(world.outcome(), TaskResult)
    assert runs(world) == 1


def test_what_its_failure_was_is_told(world: World, job: FakeJob) -> None:
    attempt = world.starts(job)
    world.kill()
    world.system.end(attempt, Verdict.FAILED, exit_codes=(7,))
    world.run = world.new_run()
    world.takes_up(job)
    outcome = world.outcome()
    assert isinstance(outcome, TaskResult)
    assert outcome.exit_code == 7


def test_a_job_whose_files_were_removed_since_is_run_again(world: World, job: FakeJob) -> None:
    attempt = world.starts(job)
    end(world, job, attempt)
    world.outcome()
    Path(job.output[0]).unlink()
    world.start_again()
    world.starts(job)
    assert runs(world) == 2


@pytest.mark.parametrize(("mode", "count"), [(Mode.SHARED, 2), (Mode.CARRIED, 1)])
def test_files_that_are_fetched_afterwards_may_be_missing(
    world: World, job: FakeJob, mode: Mode, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Shipping, "loaded", lambda _self, task, *_, **__: task)
    monkeypatch.setattr(Shipping, "prepare", lambda _self, _job: None)
    attempt = world.starts(job)
    world.kill()
    world.system.end(attempt)
    world.run = world.new_run(shipping=Shipping(Ways(mode=mode)))
    until(lambda: world.run._books.own.journal.latest(identity_of(job).key).stage is Stage.ENDED)
    world.run.start(job, job.name, INNER)
    until(lambda: world.reported or runs(world) == 2)
    assert runs(world) == count


def test_what_was_reported_and_not_yet_noted_is_not_run_again(world: World, job: FakeJob) -> None:
    attempt = world.starts(job)
    end(world, job, attempt)
    world.outcome()
    world.start_again()
    world.takes_up(job)
    assert isinstance(world.outcome(), TaskResult)
    assert runs(world) == 1


def test_what_snakemake_has_noted_is_run_anew_when_asked_for_again(world: World, job: FakeJob) -> None:
    attempt = world.starts(job)
    end(world, job, attempt)
    world.outcome()
    world.run.told(job)
    world.start_again()
    world.starts(job)
    assert runs(world) == 2


def test_a_retried_job_is_run_anew(world: World, job: FakeJob) -> None:
    world.system.end(world.starts(job), Verdict.FAILED, exit_codes=(1,))
    world.outcome()
    world.run.told(job)
    world.starts(job)
    assert runs(world) == 2


def with_another_command(job: FakeJob) -> FakeJob:
    return replace(job, shellcmd="make out.txt twice")


def with_other_parameters(job: FakeJob) -> FakeJob:
    return replace(job, params=[{"depth": 2}])


def with_a_newer_input(job: FakeJob) -> FakeJob:
    os.utime(job.input[0], (1, 1))
    return job


@pytest.mark.parametrize("change", [with_another_command, with_other_parameters, with_a_newer_input])
def test_a_running_job_that_is_not_what_is_wanted_ends_before_the_new_one_starts(
    world: World, job: FakeJob, change: Callable[[FakeJob], FakeJob]
) -> None:
    attempt = world.starts(job)
    world.start_again()
    world.starts(change(job))
    assert has_ended(world, attempt)
    assert runs(world) == 2
    assert "align: job job-1 of an earlier run is not what is wanted now; ending it" in world.said


def test_an_ended_job_that_is_not_what_is_wanted_is_run_anew(world: World, job: FakeJob) -> None:
    end(world, job, world.starts(job))
    world.outcome()
    world.start_again()
    world.starts(with_another_command(job))
    assert runs(world) == 2


def test_a_job_is_run_anew_where_a_person_says_so(world: World, job: FakeJob) -> None:
    end(world, job, world.starts(job))
    world.outcome()
    world.start_again(is_forced=lambda _: True)
    world.starts(job)
    assert runs(world) == 2


def test_what_made_files_that_are_taken_for_done_is_forgotten(world: World, job: FakeJob) -> None:
    end(world, job, world.starts(job))
    world.outcome()
    world.start_again()
    world.run.forget_done([job])
    world.starts(job)
    assert runs(world) == 2


def test_a_job_of_a_group_that_is_wanted_by_itself_ends_the_group(world: World, job: FakeJob, tmp_path: Path) -> None:
    attempt = world.starts(replace(job, output=[*job.output, str(tmp_path / "other.txt")]))
    world.start_again()
    world.starts(job)
    assert has_ended(world, attempt)


def test_a_job_is_taken_up_where_it_is_whatever_backend_is_the_usual_one_now(world: World, job: FakeJob) -> None:
    attempt = world.starts(job)
    world.start_again(backend="two")
    world.takes_up(job)
    end(world, job, attempt)
    outcome = world.outcome()
    assert isinstance(outcome, TaskResult)
    assert outcome.backend == "one"


def test_a_job_on_a_backend_that_is_gone_is_named_before_anything_starts(world: World, job: FakeJob) -> None:
    world.starts(job)
    world.start_again(CONFIG.replace('"one"', '"uno"'))
    with pytest.raises(ConfigError, match="align: job job-1 may still run on backend 'one', which is no longer conf"):
        world.run.check([job])


def test_a_finished_workflow_leaves_no_journal(world: World, job: FakeJob, tmp_path: Path) -> None:
    end(world, job, world.starts(job))
    world.outcome()
    world.run.told(job)
    world.run.close()
    assert list((tmp_path / "journals").glob("*.db*")) == [tmp_path / "journals" / "jobs-1.db.lock"]
    world.run = world.new_run()


def test_a_cancelled_workflow_leaves_no_journal(world: World, job: FakeJob, tmp_path: Path) -> None:
    world.starts(job)
    world.run.cancel()
    world.run.close()
    assert not (tmp_path / "journals" / "jobs-1.db").exists()
    world.run = world.new_run()


def test_two_workflows_in_one_directory_have_a_journal_each(world: World, job: FakeJob, tmp_path: Path) -> None:
    world.starts(job)
    other = world.new_run()
    other.check([replace(job, output=[str(tmp_path / "another.txt")])])
    other.close()


def test_a_workflow_that_makes_the_same_files_at_the_same_time_is_refused(world: World, job: FakeJob) -> None:
    world.starts(job)
    other = world.new_run()
    with pytest.raises(ConfigError, match=r"jobs-1\.db: in use by process \d+ on .* to make the same files"):
        other.check([job])
    other.close()


def test_jobs_of_two_killed_workflows_are_taken_up_by_one(world: World, job: FakeJob, tmp_path: Path) -> None:
    second = replace(job, name="sort", output=[str(tmp_path / "second.txt")])
    first, world.run = world.run, world.new_run()
    attempts = [world.starts(second)]
    world.run, other = first, world.run
    attempts.append(world.starts(job))
    world.kill()
    world.run = other
    world.start_again()
    world.takes_up(job)
    world.takes_up(second)
    for attempt in attempts:
        end(world, job, attempt)
    world.wait(lambda: len(world.reported) == 2)
    assert runs(world) == 2


def test_a_damaged_journal_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "jobs-1.db").write_text("not a database at all, but a long enough text to be looked at as one")
    with pytest.raises(JournalError, match=r"jobs-1\.db: not a journal that can be read: .*; remove it, after ending"):
        World(tmp_path)
