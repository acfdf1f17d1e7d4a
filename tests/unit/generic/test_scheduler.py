"""A scheduler's sweeps and diagnoses, from what its commands printed."""

from __future__ import annotations

import re

import pytest

from crankshaft_core.backends.base import Job, Phase
from crankshaft_core.backends.generic.frames import Script
from crankshaft_core.backends.generic.launcher import Finding, Submission
from crankshaft_core.backends.generic.scheduler import Scheduler
from crankshaft_core.errors import SubmitDeferred, SubmitInDoubt
from crankshaft_core.task import Verdict
from tests.unit.generic.making import config

SEED = """
submit = "sbatch --wrap='~{command}'"
monitor = 'squeue -h -j ~{job_id} -o %T'
kill = 'scancel ~{job_id}'
job_id_regex = 'Submitted batch job (\\d+)'
"""


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def slurm() -> Scheduler:
    return Scheduler(config("preset = 'slurm'"))


def answered(name: str, stdout: str, status: int = 0) -> dict[str, bytes]:
    return {name: stdout.encode(), f"{name} stderr": b"", f"{name} status": str(status).encode()}


def jobs(*ids: str | None) -> list[Job]:
    return [Job(f"k1-{number}", "k1", job) for number, job in enumerate(ids, start=1)]


def test_a_job_that_is_not_listed_is_missing() -> None:
    sweep = slurm().swept(answered("list", "7|RUNNING|None|k1-1\n"), jobs("7", "8"))
    assert {name: state.phase for name, state in sweep.states.items()} == {
        "k1-1": Phase.RUNNING,
        "k1-2": Phase.MISSING,
    }


@pytest.mark.parametrize("pieces", [answered("list", "7|RUNNING||\n", status=1), {}])
def test_a_query_that_failed_is_no_information(pieces: dict[str, bytes]) -> None:
    assert slurm().swept(pieces, jobs("7", "8")).states == {}


def test_a_listed_end_without_a_record_is_missing_and_says_the_state() -> None:
    state = slurm().swept(answered("list", "7|TIMEOUT|TimeLimit|k1-1\n"), jobs("7")).states["k1-1"]
    assert (state.phase, state.reason) == (Phase.MISSING, "TIMEOUT")


def test_a_listed_state_that_nobody_knows_is_no_information() -> None:
    assert slurm().swept(answered("list", "7|TELEPORTING||k1-1\n"), jobs("7")).states == {}


def test_a_job_that_can_never_start_is_stuck_and_says_why() -> None:
    sweep = slurm().swept(answered("list", "7|PENDING|DependencyNeverSatisfied|k1-1\n"), jobs("7"))
    assert (sweep.states, sweep.stuck) == ({}, {"k1-1": "DependencyNeverSatisfied"})


def test_a_job_in_doubt_is_found_by_its_name() -> None:
    state = slurm().swept(answered("list", "9|PENDING|Priority|k1-1\n"), jobs(None)).states["k1-1"]
    assert (state.phase, state.id) == (Phase.QUEUED, "9")


def test_one_query_asks_for_all() -> None:
    script = Script()
    slurm().add_sweep(script, jobs(*map(str, range(500))))
    assert script.text.count("squeue") == 1


def test_with_a_monitor_for_one_job_at_most_twenty_are_asked() -> None:
    script = Script()
    Scheduler(config(SEED)).add_sweep(script, jobs(*map(str, range(100))))
    assert len(re.findall("squeue -h -j", script.text)) == 20


def test_those_not_heard_of_for_longest_are_asked_first() -> None:
    clock = Clock()
    scheduler = Scheduler(config(SEED), clock=clock)
    many = jobs(*map(str, range(40)))
    asked: list[set[str]] = []
    for _ in range(2):
        script = Script()
        scheduler.add_sweep(script, many)
        asked.append(set(re.findall(r"squeue -h -j (\d+)", script.text)))
        clock.now += 30
        for job in many:
            if job.id in asked[-1]:
                scheduler.swept(answered(f"look {job.attempt}", "RUNNING\n"), [job])
    assert asked[0].isdisjoint(asked[1])


def test_a_monitor_that_succeeds_with_nothing_to_say_means_missing() -> None:
    states = Scheduler(config(SEED)).swept(answered("look k1-1", ""), jobs("7")).states
    assert states["k1-1"].phase is Phase.MISSING


def test_a_monitor_that_fails_is_no_information_for_an_hour() -> None:
    clock = Clock()
    scheduler = Scheduler(config(SEED), clock=clock)
    failed = answered("look k1-1", "", status=1)
    assert scheduler.swept(failed, jobs("7")).states == {}
    clock.now += 3599
    assert scheduler.swept(failed, jobs("7")).states == {}
    clock.now += 2
    assert scheduler.swept(failed, jobs("7")).states["k1-1"].phase is Phase.MISSING


def test_ids_are_killed_in_calls_that_fit_a_command_line() -> None:
    script = Script()
    slurm().add_cancel(script, jobs(*map(str, range(450))), force=False)
    assert script.text.count("scancel") == 3


def test_what_is_cancelled_is_noted_before_the_scheduler_is_asked() -> None:
    script = Script()
    slurm().add_cancel(script, jobs("7"), force=False)
    noted = script.text.index('for ck_attempt in k1-1; do\n  : >"tasks/$ck_attempt/unwanted"')
    assert noted < script.text.index("scancel")


def test_a_kill_for_one_job_is_called_for_each() -> None:
    script = Script()
    Scheduler(config(SEED)).add_cancel(script, jobs("1", "2"), force=False)
    assert re.findall(r"scancel (\d)", script.text) == ["1", "2"]


def test_the_queues_word_counts_for_more_than_accountings() -> None:
    pieces = answered("list", "7|OUT_OF_MEMORY|OutOfMemory|k1-1\n") | answered("diagnose 0", "7|FAILED|0:9|None\n")
    assert slurm().diagnosed(pieces, jobs("7"), recorded=False) == {
        "k1-1": Finding(Verdict.OUT_OF_MEMORY, "OUT_OF_MEMORY OutOfMemory")
    }


def test_accounting_answers_for_what_the_queue_forgot() -> None:
    pieces = answered("list", "") | answered("diagnose 0", "7|NODE_FAIL|1:0|None\n")
    assert slurm().diagnosed(pieces, jobs("7"), recorded=False)["k1-1"] == Finding(
        Verdict.NODE_FAILURE, "7|NODE_FAIL|1:0|None"
    )


def test_a_job_still_listed_as_running_is_not_judged() -> None:
    assert slurm().diagnosed(answered("list", "7|COMPLETING|None|k1-1\n"), jobs("7"), recorded=False) == {"k1-1": None}


def test_accounting_that_is_down_says_nothing() -> None:
    pieces = answered("list", "") | answered("diagnose 0", "7|NODE_FAIL|", status=1)
    assert slurm().diagnosed(pieces, jobs("7"), recorded=False) == {}


def test_submits_run_four_at_a_time() -> None:
    script = Script()
    slurm().add_submit(script, [Submission(f"k1-{number}", "sbatch x") for number in range(10)], at_once=4)
    assert script.text.count("} &\n") == 4


def test_an_answer_that_was_cut_off_leaves_the_submit_in_doubt() -> None:
    with pytest.raises(SubmitInDoubt, match="k1-1 was cut off"):
        slurm().submitted({}, "k1-1")


def test_a_limit_holds_the_task() -> None:
    pieces = {"k1-1": b"", "k1-1 stderr": b"error: QOSMaxSubmitJobPerUserLimit", "k1-1 status": b"1"}
    with pytest.raises(SubmitDeferred, match="QOSMaxSubmitJobPerUserLimit"):
        slurm().submitted(pieces, "k1-1")


def test_a_job_with_a_record_that_waits_again_was_requeued() -> None:
    pieces = answered("list", "7|PENDING|BeginTime|k1-1\n")
    found = slurm().diagnosed(pieces, jobs("7"), recorded=True)["k1-1"]
    assert found == Finding(Verdict.PREEMPTED, "requeued (PENDING BeginTime)")
