from __future__ import annotations

import time

import pytest

from crankshaft_core.errors import LostTaskError
from crankshaft_core.events import (
    BackendRecovered,
    BackendUnreachable,
    Event,
    LoginRefused,
    TaskCancelled,
    TaskEnded,
    TaskFailed,
    TaskHeld,
    TaskQueued,
    TaskRetried,
    TasksRefused,
    TaskStarted,
    TaskSubmitted,
)
from crankshaft_core.notices import Notices, line_of
from crankshaft_core.task import TaskResult, Verdict

TASK = ("r-1", "align", "hpc")
LIMIT = "QOSMaxSubmitJobPerUserLimit"
AT = 1_700_000_000.0
CLOCK = time.strftime("%H:%M", time.localtime(AT))


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
        (BackendUnreachable("hpc", "x", 1, 2.0, AT), f"hpc: x {CLOCK}; 1 job unaffected; retrying in 2 s."),
        (
            BackendUnreachable("hpc", "connection lost", 212, 30.0, AT),
            f"hpc: connection lost {CLOCK}; 212 jobs unaffected; retrying in 30 s.",
        ),
        (
            BackendUnreachable("hpc", "login: connection lost 14:02 (EOF)", 212, 30.0, AT),
            "hpc: login: connection lost 14:02 (EOF); 212 jobs unaffected; retrying in 30 s.",
        ),
        (
            LoginRefused("cloud", "401, token expired", 37, "Use { file }"),
            "cloud: 401, token expired. 37 jobs continue, submits wait. Use { file }.",
        ),
        (LoginRefused("hpc", "not let in.", 1), "hpc: not let in. 1 job continues, submits wait."),
        (TasksRefused("hpc", "no such queue", 40), "hpc: no such queue. 40 tasks not submitted."),
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


def test_that_tasks_wait_for_a_new_login_is_said_once() -> None:
    said: list[str] = []
    notices = Notices(said.append)
    notices(LoginRefused("hpc", "401", 2))
    notices(TaskHeld(*TASK, "401"))
    assert len(said) == 1


def test_a_limit_is_said_again_once_the_login_is_accepted() -> None:
    said: list[str] = []
    notices = Notices(said.append)
    for event in (LoginRefused("hpc", "401", 2), BackendRecovered("hpc"), TaskHeld(*TASK, LIMIT)):
        notices(event)
    assert said[1:] == ["hpc: answers again", f"hpc takes no more jobs for now: {LIMIT}"]
