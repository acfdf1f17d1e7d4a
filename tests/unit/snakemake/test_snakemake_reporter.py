"""Outcomes are told as they come, and never on the engine's thread."""

import threading
from concurrent.futures import Future

from crankshaft_core.task import TaskResult, Verdict
from snakemake_executor_crankshaft.reporter import Outcome, Reporter

OK = TaskResult(name="a", backend="b", attempt="r-1-1", verdict=Verdict.OK)


class Ears:
    def __init__(self) -> None:
        self.heard: list[tuple[str, Outcome]] = []
        self.broken: list[BaseException] = []
        self.threads: set[int] = set()
        self.something = threading.Event()

    def report(self, name: str, outcome: Outcome) -> None:
        self.threads.add(threading.get_ident())
        self.heard.append((name, outcome))
        self.something.set()
        if name == "bad":
            raise ValueError("it cannot be told")

    def reporter(self) -> Reporter[str]:
        return Reporter(self.report, self.broken.append)


def test_a_result_is_reported_as_soon_as_it_is_there() -> None:
    ears, future = Ears(), Future[TaskResult]()
    reporter = ears.reporter()
    reporter.follow("a", future)
    future.set_result(OK)
    assert ears.something.wait(10)
    assert ears.heard == [("a", OK)]
    reporter.close()


def test_reporting_has_a_thread_of_its_own() -> None:
    ears, future = Ears(), Future[TaskResult]()
    reporter = ears.reporter()
    reporter.follow("a", future)
    future.set_result(OK)
    reporter.close()
    assert threading.get_ident() not in ears.threads


def test_errors_and_cancellations_are_outcomes_too() -> None:
    ears, failed, cancelled = Ears(), Future[TaskResult](), Future[TaskResult]()
    reporter = ears.reporter()
    reporter.follow("f", failed)
    reporter.follow("c", cancelled)
    failed.set_exception(OSError("x"))
    cancelled.cancel()
    reporter.close()
    assert [(name, type(outcome).__name__) for name, outcome in ears.heard] == [
        ("f", "OSError"),
        ("c", "CancelledError"),
    ]


def test_a_silenced_reporter_tells_nothing_more() -> None:
    ears, future = Ears(), Future[TaskResult]()
    reporter = ears.reporter()
    reporter.follow("a", future)
    reporter.silence()
    future.set_result(OK)
    reporter.close()
    assert ears.heard == []


def test_one_failed_report_does_not_silence_the_others() -> None:
    ears, bad, good = Ears(), Future[TaskResult](), Future[TaskResult]()
    reporter = ears.reporter()
    reporter.follow("bad", bad)
    reporter.follow("good", good)
    bad.set_result(OK)
    good.set_result(OK)
    reporter.close()
    assert [name for name, _ in ears.heard] == ["bad", "good"]
    assert [str(error) for error in ears.broken] == ["it cannot be told"]
