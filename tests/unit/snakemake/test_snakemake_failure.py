"""What is said of a job that failed."""

import dataclasses

import pytest

from crankshaft_core.errors import LostTaskError, OutOfMemoryError, SubmitError, TimeLimitError
from crankshaft_core.task import TaskResult, Verdict
from snakemake_executor_crankshaft.failure import Failure, failure_of

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


def failed(outcome: TaskResult | BaseException) -> Failure:
    failure = failure_of(outcome, ["align"])
    assert failure is not None
    return failure


def test_success_is_no_failure() -> None:
    assert failure_of(dataclasses.replace(FAILED, verdict=Verdict.OK, exit_codes=(0,)), ["align"]) is None


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
        (OutOfMemoryError, Verdict.OUT_OF_MEMORY, "Raise mem_mb in rule 'align'."),
        (TimeLimitError, Verdict.TIME_LIMIT, "Raise runtime in rule 'align'."),
    ],
)
def test_what_to_raise_is_named(error: type[OutOfMemoryError], verdict: Verdict, advice: str) -> None:
    result = dataclasses.replace(FAILED, verdict=verdict, exit_codes=(), stderr_tail="")
    assert failed(error("align: it ended", result=result)).message == f"align: it ended\n{advice}"


def test_an_error_without_a_result_is_told_as_it_is() -> None:
    assert failed(SubmitError("hpc: invalid partition")) == Failure("hpc: invalid partition")


def test_an_error_without_words_is_told_by_its_kind() -> None:
    assert failed(LostTaskError("")).message == "LostTaskError"


def test_its_job_id_is_told() -> None:
    assert failed(FAILED).job_id == "48213"
