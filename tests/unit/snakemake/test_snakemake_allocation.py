"""Why Slurm ends the allocation that Snakemake runs in, in the words of its own `scontrol --oneliner show job`."""

from pathlib import Path

import pytest

from snakemake_executor_crankshaft.allocation import end_of_allocation

# Slurm 22.05.8
TIMED_OUT = "JobId=7 JobName=x JobState=COMPLETING Reason=TimeLimit Dependency=(null) Requeue=1 Restarts=0"
PREEMPTED = "JobId=7 JobName=x JobState=COMPLETING Reason=None Dependency=(null) Requeue=1 Restarts=1"
CANCELLED = "JobId=7 JobName=x JobState=COMPLETING Reason=None Dependency=(null) Requeue=1 Restarts=0"


@pytest.mark.parametrize(
    ("said", "restarts", "reason"),
    [
        (TIMED_OUT, None, "The time of Slurm job 7 is up"),
        (PREEMPTED, None, "Slurm job 7 is requeued"),
        (PREEMPTED, "1", None),
        (CANCELLED, None, None),
        ("", None, None),
    ],
    ids=["time", "requeue", "cancelled-after-a-requeue", "cancelled", "no-answer"],
)
def test_it_is_told(
    said: str, restarts: str | None, reason: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f"#!/bin/sh\n[ \"$*\" = '--oneliner show job 7' ] && echo '{said}'\n")
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    environ = {"SLURM_JOB_ID": "7"} | ({"SLURM_RESTART_COUNT": restarts} if restarts else {})
    assert end_of_allocation(environ) == reason


def test_without_an_allocation_there_is_nothing_to_tell() -> None:
    assert end_of_allocation({}) is None


def test_without_slurms_commands_there_is_nothing_to_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert end_of_allocation({"SLURM_JOB_ID": "7"}) is None
