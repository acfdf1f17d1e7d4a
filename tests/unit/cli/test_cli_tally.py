import pytest

from crankshaft_core.cli.tally import Tally
from crankshaft_core.errors import LostTaskError, OutOfMemoryError, SubmitError
from crankshaft_core.events import TaskCancelled, TaskEnded, TaskFailed
from crankshaft_core.task import TaskResult, Verdict


def result(name, verdict=Verdict.OK, code=0, *, took=1.0):
    return TaskResult(name, "local", f"{name}-1", verdict, (code,), started=100.0, ended=100.0 + took)


def ended(*args, **kwargs):
    found = result(*args, **kwargs)
    return TaskEnded(found.name, found.name, "local", found)


def failed(name, error):
    return TaskFailed(name, name, "local", error)


@pytest.fixture
def tally():
    return Tally()


def test_the_summary_counts_by_how_tasks_ended(tally):
    tally(ended("a"))
    tally(ended("b"))
    tally(ended("c", Verdict.FAILED, 3))
    tally(failed("d", OutOfMemoryError("d: too much", result=result("d", Verdict.OUT_OF_MEMORY, 137))))
    tally(failed("e", LostTaskError("e: lost")))
    tally(failed("f", SubmitError("f: no such queue")))
    tally(TaskCancelled("g", "g", "local"))
    assert tally.summary(12.34)[0] == (
        "7 tasks in 12.3 s: 2 ok, 1 failed, 1 out of memory, 1 lost, 1 rejected, 1 cancelled"
    )


def test_the_summary_names_the_slowest(tally):
    for name, took in (("a", 1.0), ("b", 9.0), ("c", 3.0), ("d", 5.0)):
        tally(ended(name, took=took))
    assert tally.summary(9)[1] == "slowest: b 9.0 s, d 5.0 s, c 3.0 s"


def test_a_failure_is_said_when_it_happens(tally, capsys):
    tally(ended("align", Verdict.FAILED, 3))
    assert "align (local): exit code 3" in capsys.readouterr().err


def test_nothing_is_said_to_those_who_want_quiet(capsys):
    tally = Tally(quiet=True)
    tally(ended("align", Verdict.FAILED, 3))
    assert capsys.readouterr().err == ""
    assert tally.failures["failed"] == 1


def test_the_twenty_first_failure_is_only_counted(tally, capsys):
    for number in range(50):
        tally(ended(f"t{number}", Verdict.FAILED, 1))
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 21
    assert said[-1] == "crankshaft: further failures are only counted"
    assert tally.failures["failed"] == 50


def test_refusals_in_the_same_words_are_said_once(tally, capsys):
    for number in range(40):
        tally(failed(f"t{number}", SubmitError("hpc: invalid partition 'shrot'")))
    assert capsys.readouterr().err == "crankshaft: hpc: invalid partition 'shrot'\n"
    assert tally.failures["rejected"] == 40
