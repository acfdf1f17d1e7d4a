"""What is said of a job that failed."""

import dataclasses

import pytest

from crankshaft_core.errors import LostTaskError, OutOfMemoryError, StagingError, SubmitError, TimeLimitError
from crankshaft_core.task import Resources, TaskResult, Verdict
from snakemake_executor_crankshaft.failure import Failure, failure_of
from snakemake_executor_crankshaft.given import Given

STDERR = """\
Building DAG of jobs...
Using shell: /usr/bin/bash
Select jobs to execute...
Execute 1 jobs...
fopen: no such file
RuleException:
CalledProcessError in file "/w/Snakefile", line 6:
Command 'set -euo pipefail;  bwa mem' returned non-zero exit status 3.
Shutting down, this might take some time.
Exiting because a job execution failed. Look above for error messages
Storing output in storage.
Elapsed time: 0:00:00.479341
WorkflowError:
At least one job did not complete successfully.
"""
FAILED = TaskResult(
    name="align[sample=s3]",
    backend="hpc",
    attempt="r-1-1",
    verdict=Verdict.FAILED,
    exit_codes=(1,),
    job_id="48213",
    node="c07",
    stdout="/w/out",
    stderr="/w/err",
    stderr_tail=STDERR,
)


GIVEN = Given(Resources(ram=8, time="90m"))


def failed(outcome: TaskResult | BaseException, given: Given = GIVEN) -> Failure:
    failure = failure_of(outcome, ["align"], given)
    assert failure is not None
    return failure


def test_success_is_no_failure() -> None:
    assert failure_of(dataclasses.replace(FAILED, verdict=Verdict.OK, exit_codes=(0,)), ["align"], GIVEN) is None


def test_the_message_ends_with_what_the_job_said() -> None:
    assert failed(FAILED).message == (
        "align[sample=s3] (hpc 48213, c07): exit code 1. "
        "stderr: Command 'set -euo pipefail;  bwa mem' returned non-zero exit status 3.\n"
        "stderr ends with:\n"
        "    fopen: no such file\n"
        "    RuleException:\n"
        '    CalledProcessError in file "/w/Snakefile", line 6:\n'
        "    Command 'set -euo pipefail;  bwa mem' returned non-zero exit status 3."
    )


def test_a_job_that_said_nothing_gets_one_line() -> None:
    silent = dataclasses.replace(FAILED, stderr_tail="")
    assert failed(silent).message == "align[sample=s3] (hpc 48213, c07): exit code 1"


def test_only_the_end_of_long_output_is_shown() -> None:
    chatty = dataclasses.replace(FAILED, stderr_tail="".join(f"line {n}\n" for n in range(100)))
    assert "line 80\n" in failed(chatty).message
    assert "line 79\n" not in failed(chatty).message


@pytest.mark.parametrize(
    ("error", "verdict", "advice"),
    [
        (OutOfMemoryError, Verdict.OUT_OF_MEMORY, "out of memory, asked 8.0 GiB. Raise mem_mb in rule 'align'."),
        (TimeLimitError, Verdict.TIME_LIMIT, "time limit, asked 1:30:00. Raise runtime in rule 'align'."),
    ],
)
def test_what_was_asked_for_and_what_to_raise_are_named(
    error: type[OutOfMemoryError], verdict: Verdict, advice: str
) -> None:
    result = dataclasses.replace(FAILED, verdict=verdict, exit_codes=(), detail="slurm: so it is", stderr_tail="")
    message = failed(error("it ended", result=result)).message
    assert message == f"align[sample=s3] (hpc 48213, c07): {advice} slurm: so it is"


def test_what_nobody_asked_for_is_not_named() -> None:
    result = dataclasses.replace(FAILED, verdict=Verdict.OUT_OF_MEMORY, stderr_tail="")
    assert ": out of memory. Raise mem_mb" in failed(OutOfMemoryError("", result=result), Given()).message


def test_what_could_not_be_brought_is_told_by_the_jobs_name() -> None:
    error = StagingError("r-1-1 did not leave out.bam", result=dataclasses.replace(FAILED, stderr_tail=""))
    assert failed(error).message == "align[sample=s3] (hpc 48213, c07): r-1-1 did not leave out.bam"


def test_an_error_without_a_result_is_told_as_it_is() -> None:
    assert failed(SubmitError("hpc: invalid partition")) == Failure("hpc: invalid partition")


def test_an_error_without_words_is_told_by_its_kind() -> None:
    assert failed(LostTaskError("")).message == "LostTaskError"


def test_its_job_id_is_told() -> None:
    assert failed(FAILED).job_id == "48213"
