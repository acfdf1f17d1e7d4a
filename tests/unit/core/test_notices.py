from __future__ import annotations

import pytest

from crankshaft_core.errors import LostTaskError
from crankshaft_core.events import (
    BackendRecovered,
    BackendUnreachable,
    Event,
    TaskCancelled,
    TaskEnded,
    TaskFailed,
    TaskHeld,
    TaskQueued,
    TaskRetried,
    TaskStarted,
    TaskSubmitted,
)
from crankshaft_core.notices import Notices, line_of
from crankshaft_core.task import TaskResult, Verdict

TASK = ("r-1", "align", "hpc")
LIMIT = "QOSMaxSubmitJobPerUserLimit"


def ended(verdict: Verdict, *codes: int, node: str | None = None) -> TaskEnded:
    return TaskEnded(*TASK, TaskResult("align", "hpc", "r-1-1", verdict, codes, job_id="77", node=node))


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (TaskQueued(*TASK), "align: waiting for a place on hpc"),
        (TaskHeld(*TASK, LIMIT), f"hpc takes no more jobs for now: {LIMIT}"),
        (TaskSubmitted(*TASK, "r-1-1", "77"), "align: job 77 on hpc"),
        (TaskSubmitted(*TASK, "r-1-1", "77", attached=True), "align: job 77 on hpc, taken up again"),
        (TaskStarted(*TASK, "r-1-1", "77"), "align: job 77 runs on hpc"),
        (TaskRetried(*TASK, "r-1-1", Verdict.NODE_FAILURE, "c07"), "align: node failure on hpc (c07); trying again"),
        (TaskRetried(*TASK, "r-1-1", Verdict.LOST, ""), "align: lost on hpc; trying again"),
        (ended(Verdict.FAILED, 3, node="c07"), "align: job 77 on hpc ended at c07: exit code 3"),
        (ended(Verdict.OUT_OF_MEMORY), "align: job 77 on hpc ended: out of memory"),
        (TaskFailed(*TASK, LostTaskError("align (hpc 77): lost")), "align (hpc 77): lost"),
        (TaskCancelled(*TASK), "align: cancelled on hpc"),
        (BackendUnreachable("hpc", "x", 1, 2.0), "hpc: x; 1 job unaffected; retrying in 2 s"),
        (
            BackendUnreachable("hpc", "connection lost", 212, 30.0),
            "hpc: connection lost; 212 jobs unaffected; retrying in 30 s",
        ),
        (BackendRecovered("hpc"), "hpc: answers again"),
    ],
)
def test_every_event_has_its_line(event: Event, line: str) -> None:
    assert line_of(event) == line


def test_a_queue_that_refuses_a_thousand_tasks_is_said_once() -> None:
    said: list[str] = []
    notices = Notices(said.append)
    for number in range(1000):
        notices(TaskHeld(f"r-{number}", f"t{number}", "hpc", LIMIT))
    assert len(said) == 1


def test_what_is_as_it_should_be_is_not_said() -> None:
    said: list[str] = []
    Notices(said.append)(TaskQueued(*TASK))
    assert said == []


def test_what_is_said_may_be_chosen() -> None:
    said: list[str] = []
    notices = Notices(said.append, of=(TaskQueued,))
    notices(TaskHeld(*TASK, LIMIT))
    notices(TaskQueued(*TASK))
    assert said == ["align: waiting for a place on hpc"]
