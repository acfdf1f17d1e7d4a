import pytest

from crankshaft_core.cli.notices import Notices
from crankshaft_core.events import BackendRecovered, BackendUnreachable, TaskHeld, TaskQueued, TaskRetried
from crankshaft_core.task import Verdict

TASK = ("r-1", "align", "hpc")
LIMIT = "QOSMaxSubmitJobPerUserLimit"


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (
            BackendUnreachable("hpc", "connection lost", 212, 30.0),
            "hpc: connection lost; 212 tasks go on, trying again in 30 s",
        ),
        (BackendUnreachable("hpc", "x", 1, 2.0), "hpc: x; 1 task goes on, trying again in 2 s"),
        (BackendRecovered("hpc"), "hpc: answers again"),
        (TaskHeld(*TASK, LIMIT), f"hpc: waiting to submit: {LIMIT}"),
        (TaskRetried(*TASK, "r-1-1", Verdict.NODE_FAILURE, "c07"), "align: node failure (c07); trying again"),
    ],
)
def test_what_means_waiting_longer_is_said(event, words, capsys):
    Notices()(event)
    assert capsys.readouterr().err == f"crankshaft: {words}\n"


def test_a_queue_that_refuses_a_thousand_tasks_is_said_once(capsys):
    notices = Notices()
    for number in range(1000):
        notices(TaskHeld(f"r-{number}", f"t{number}", "hpc", LIMIT))
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_what_is_as_it_should_be_is_not_said(capsys):
    Notices()(TaskQueued(*TASK))
    assert capsys.readouterr().err == ""
