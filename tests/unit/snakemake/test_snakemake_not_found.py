"""A command that was not found is explained by the environment that was active here."""

import dataclasses

import pytest

from crankshaft_core.task import TaskResult, Verdict
from snakemake_executor_crankshaft.given import Given
from snakemake_executor_crankshaft.not_found import not_found

CONDA = {"CONDA_PREFIX": "/opt/envs/ngs"}
PASSED = Given(variables=frozenset({"PATH", "CONDA_PREFIX"}))
RESULT = TaskResult(
    name="index",
    backend="hpc",
    attempt="r-1-1",
    verdict=Verdict.FAILED,
    exit_codes=(127,),
    node="c07",
    stderr_tail="bash: line 1: samtools: command not found\n",
)
ELSEWHERE = "see `env` and `prologue` of backend 'hpc'."


@pytest.mark.parametrize(
    ("given", "caller", "told"),
    [
        (Given(), CONDA, f"on c07 (exit 127). Conda env 'ngs' was active here, not passed there; {ELSEWHERE}"),
        (Given(), {"VIRTUAL_ENV": "/w/.venv"}, "virtual env '.venv' was active here, not passed there"),
        (PASSED, CONDA, "Conda env 'ngs' was active here, and passed there: is /opt/envs/ngs there as well"),
        (Given(), {}, "No environment was active here either; see `prologue` of backend 'hpc'."),
        (Given(image="busybox"), CONDA, "in image 'busybox' (exit 127). Jobs there have the image's own software"),
    ],
    ids=["not-passed", "virtual", "passed", "none", "image"],
)
def test_what_was_active_here_is_told(given: Given, caller: dict[str, str], told: str) -> None:
    said = not_found(RESULT, given, caller)
    assert said is not None
    assert said.startswith("samtools: command not found ")
    assert told in said


@pytest.mark.parametrize("words", ["sh: 1: samtools: not found", "sh: samtools: not found", "samtools: not found"])
def test_every_shell_is_understood(words: str) -> None:
    said = not_found(dataclasses.replace(RESULT, stderr_tail=words), Given(), {})
    assert said is not None
    assert said.startswith("samtools: command not found on c07")


def test_it_is_also_seen_behind_an_inner_run() -> None:
    tail = f"{RESULT.stderr_tail}Command 'samtools' returned non-zero exit status 127.\n"
    assert not_found(dataclasses.replace(RESULT, exit_codes=(1,), stderr_tail=tail), Given(), {}) is not None


def test_a_file_that_is_not_found_is_another_matter() -> None:
    result = dataclasses.replace(RESULT, exit_codes=(1,), stderr_tail="genome.fa: not found\n")
    assert not_found(result, Given(), CONDA) is None
