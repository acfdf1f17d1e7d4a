"""What jobs say is kept by rule and wildcards, and what they used is added up."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from crankshaft_core.task import Resources, TaskResult, Verdict
from snakemake_executor_crankshaft.aftermath import Aftermath
from snakemake_executor_crankshaft.logs import Logs
from snakemake_executor_crankshaft.report import Report
from tests.unit.snakemake.world import FakeJob

RESULT = TaskResult("align", "hpc", "r-1-1", Verdict.FAILED, (3,), stdout_tail="words\n", stderr_tail="why\n")

WELL = TaskResult("align", "hpc", "r-1-1", Verdict.OK, (0,), job_id="7", stderr_tail="hm\n")


@dataclass
class FakeGroup(FakeJob):
    """Two jobs of one rule, and one of another."""

    jobid: int | str = "c0ffee"  # type: ignore[assignment] # of one rule it is a number

    @property
    def rules(self) -> list[str]:
        return ["sort", "align", "align"]

    def is_group(self) -> bool:
        return True

    def get_target_spec(self) -> Sequence[Any]:
        wanted = [("align", {"sample": "s1"}), ("align", {"sample": "s2"}), ("sort", {})]
        return [SimpleNamespace(rulename=rule, wildcards_dict=wildcards) for rule, wildcards in wanted]


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    return Logs(tmp_path / "logs", keep=False)


@pytest.mark.parametrize(
    ("wildcards", "place"),
    [
        ({}, "align/all/1.err"),
        ({"sample": "s3", "lane": "1"}, "align/sample=s3,lane=1/1.err"),
        ({"path": "a/b"}, "align/path=a_b-"),
        ({"long": "x" * 300}, "align/long=xxxxxxxxxxxxxxxxxxxx-"),
    ],
)
def test_files_are_named_for_rule_wildcards_and_attempt(
    logs: Logs, tmp_path: Path, wildcards: Mapping[str, str], place: str
) -> None:
    stderr = logs.of(FakeJob(wildcards=wildcards)).stderr
    assert str(stderr.relative_to(tmp_path / "logs")).startswith(place)


def test_wildcards_that_differ_in_a_slash_only_have_files_of_their_own(logs: Logs) -> None:
    jobs = FakeJob(wildcards={"path": "a/b"}), FakeJob(wildcards={"path": "a_b"})
    assert logs.of(jobs[0]) != logs.of(jobs[1])


def test_a_later_attempt_has_files_of_its_own(logs: Logs) -> None:
    assert logs.of(FakeJob(attempt=2)).stderr.name == "2.err"


def test_what_a_backend_has_elsewhere_is_brought(logs: Logs, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("all the words\n")
    files = logs.of(FakeJob())
    files.keep(TaskResult("a", "b", "r-1-1", Verdict.OK, (0,), stdout=str(tmp_path / "out"), stderr_tail="why\n"))
    assert (files.stdout.read_text(), files.stderr.read_text()) == ("all the words\n", "why\n")


def test_what_is_in_its_place_already_stays(logs: Logs) -> None:
    files = logs.of(FakeJob())
    files.stdout.parent.mkdir(parents=True)
    files.stdout.write_text("all the words\n")
    files.keep(TaskResult("a", "b", "r-1-1", Verdict.OK, (0,), stdout=str(files.stdout), stdout_tail="words\n"))
    assert files.stdout.read_text() == "all the words\n"


@pytest.mark.parametrize(("keep", "left"), [(False, []), (True, ["1.err", "1.out"])])
def test_after_a_good_end_they_are_removed_unless_they_are_wanted(tmp_path: Path, keep: bool, left: list[str]) -> None:
    logs = Logs(tmp_path / "logs", keep=keep)
    logs.of(FakeJob()).keep(RESULT)
    logs.on_a_good_end(FakeJob())
    assert sorted(file.name for file in (tmp_path / "logs").rglob("*") if file.is_file()) == left


def test_the_rules_directory_stays_since_another_job_may_be_about_to_use_it(logs: Logs) -> None:
    files = logs.of(FakeJob())
    files.keep(RESULT)
    logs.on_a_good_end(FakeJob())
    assert not files.stdout.parent.exists()
    assert files.stdout.parent.parent.is_dir()


def test_an_earlier_attempts_files_stay_after_a_good_end(logs: Logs) -> None:
    first = logs.of(FakeJob())
    first.keep(RESULT)
    logs.of(FakeJob(attempt=2)).keep(RESULT)
    logs.on_a_good_end(FakeJob(attempt=2))
    assert first.stderr.exists()


@pytest.mark.parametrize(("days", "there"), [(10, False), (30, True), (0, True)])
def test_old_ones_are_removed_after_a_while(logs: Logs, days: int, there: bool) -> None:
    files = logs.of(FakeJob())
    files.keep(RESULT)
    before = time.time() - 20 * 86400
    os.utime(files.stdout, (before, before))
    logs.prune(days)
    assert files.stdout.exists() is there
    assert files.stderr.exists()


def test_the_files_that_say_something_are_named(logs: Logs) -> None:
    silent = TaskResult("a", "b", "r-1-1", Verdict.FAILED, (1,), stderr_tail="why\n")
    named = Aftermath(logs, report=False).ended(FakeJob(), silent, Resources())
    assert named == (str(logs.of(FakeJob()).stderr),)


def test_the_words_of_a_group_that_failed_are_found_by_each_of_its_rules(logs: Logs, tmp_path: Path) -> None:
    Aftermath(logs, report=False).ended(FakeGroup(), RESULT, Resources())
    found = {str(file.relative_to(tmp_path / "logs")): file.read_text() for file in (tmp_path / "logs").rglob("*.err")}
    places = ("align+sort/c0ffee", "align/sample=s1", "align/sample=s2", "sort/all")
    assert found == {f"{place}/1.err": "why\n" for place in places}


def test_nothing_is_left_of_a_group_that_came_to_a_good_end_at_last(logs: Logs, tmp_path: Path) -> None:
    aftermath = Aftermath(logs, report=False)
    aftermath.ended(FakeGroup(), RESULT, Resources())
    aftermath.well(FakeGroup())
    aftermath.close()
    assert [path for path in (tmp_path / "logs").rglob("*") if not path.is_dir()] == []


def test_the_links_of_a_group_grow_old_as_well(logs: Logs, tmp_path: Path) -> None:
    Aftermath(logs, report=False).ended(FakeGroup(), RESULT, Resources())
    before = time.time() - 20 * 86400
    for file in (tmp_path / "logs").rglob("1.*"):
        os.utime(file, (before, before), follow_symlinks=False)
    logs.prune(10)
    assert list((tmp_path / "logs").rglob("1.*")) == []


def test_output_that_is_missing_after_a_good_end_has_the_job_and_all_its_logs_named(logs: Logs) -> None:
    aftermath, job = Aftermath(logs, report=False), FakeJob(log=["rule.log"])
    aftermath.ended(job, WELL, Resources())
    said = aftermath.badly(job)
    assert said is not None
    assert said.startswith("align (hpc 7) ended with exit code 0, and ")
    assert said.endswith(f"Its logs: {logs.of(job).stderr}, rule.log")


def test_of_a_job_that_failed_by_itself_nothing_is_said_again(logs: Logs) -> None:
    aftermath, job = Aftermath(logs, report=False), FakeJob()
    aftermath.ended(job, RESULT, Resources())
    assert aftermath.badly(job) is None


def test_files_that_cannot_be_kept_end_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "logs").write_text("a file where the directory should be")
    result = TaskResult("a", "b", "r-1-1", Verdict.FAILED, (1,), stderr="/elsewhere/err")
    assert Aftermath(Logs(tmp_path / "logs", keep=False), report=False).ended(FakeJob(), result, Resources()) == (
        "/elsewhere/err",
    )
    assert "cannot keep what a said" in caplog.text


def test_the_table_sets_requests_against_use() -> None:
    report = Report()
    asked = Resources(cpu=4, ram=2, time="1h")
    for peak, took in ((0.5, 100.0), (1.0, 60.0)):
        used = {"started": 0.0, "ended": took, "cpu_time": 2 * took, "peak_ram": peak}
        report.add("align", asked, TaskResult("a", "b", "r", Verdict.OK, **used))
    report.add("call", Resources(cpu=1), TaskResult("c", "b", "r", Verdict.OK))
    assert report.lines() == [
        "rule   jobs  cpus  used   %   memory     peak   %     time  longest     mean",
        "align     2     4     2  50  2.0 GiB  1.0 GiB  50  1:00:00  0:01:40  0:01:20",
        "call      1     1     -            -        -            -        -        -",
    ]


def test_a_workflow_without_jobs_has_no_table() -> None:
    assert Report().lines() == []
