"""What schedulers print. Slurm's lines are captured from 22.05.8; the others' are shaped as their manuals show."""

from __future__ import annotations

import pytest

from crankshaft_core.backends.base import Phase
from crankshaft_core.backends.generic.frames import Answer
from crankshaft_core.backends.generic.parse import (
    Listed,
    classify,
    job_id,
    listing,
    per_job,
    submit_failure,
    verdict_of,
)
from crankshaft_core.errors import AuthenticationError, BackendError, SubmitDeferred, SubmitError, SubmitInDoubt
from crankshaft_core.task import Verdict
from tests.unit.generic.making import config

SLURM = config("preset = 'slurm'")
SGE = config("preset = 'sge'")
PBS = config("preset = 'pbs'")

SQUEUE = """\
43|PENDING|PartitionTimeLimit|k1-5
44|COMPLETED|None|k1-6
15|FAILED|NonZeroExitCode|k1-3
47|RUNNING|None|k1-7
48|OUT_OF_MEMORY|OutOfMemory|k1-8
49|PENDING|Resources|k1-9
"""

SACCT = """\
12|CANCELLED by 1000|0:0|None
13|TIMEOUT|0:0|None
14|NODE_FAIL|1:0|None
"""

QSTAT_F = """\
Job Id: 12.pbs
    Job_Name = k1-1
    job_state = F
    Exit_status = 271
    comment = Job run at Sat Nov 22 at 12:13 on (pbs:ncpus=1)
Job Id: 13.pbs
    Job_Name = k1-2
    Exit_status = -29
"""

QACCT = """\
==============================================================
qname        all.q
jobnumber    7
failed       37  : qmaster enforced h_rt, h_cpu, or h_vmem limit
exit_status  137                  (Killed)
"""


@pytest.mark.parametrize(
    ("printed", "found"), [("4711\n", "4711"), ("4711;cluster\n", "4711"), ("warning: be nice\n4711\n", "4711")]
)
def test_a_job_id_stands_on_a_line_of_its_own(printed: str, found: str) -> None:
    assert job_id(SLURM, printed) == found


def test_no_job_id_is_none() -> None:
    assert job_id(SLURM, "Submitted batch job x") is None


@pytest.mark.parametrize(
    ("stderr", "kind"),
    [
        ("sbatch: error: Batch job submission failed: Invalid partition name specified", SubmitError),
        ("sbatch: error: QOSMaxSubmitJobPerUserLimit", SubmitDeferred),
        ("sbatch: error: Batch job submission failed: Protocol authentication error", AuthenticationError),
        ("sbatch: error: Batch job submission failed: Socket timed out on send/recv operation", SubmitInDoubt),
        ("sbatch: error: Batch job submission failed: Unable to contact slurm controller", SubmitInDoubt),
    ],
)
def test_a_refusal_a_limit_and_a_doubt_are_told_apart(stderr: str, kind: type[BackendError]) -> None:
    assert type(submit_failure(SLURM, Answer(1, "", stderr))) is kind


def test_a_refusal_is_told_in_the_systems_words() -> None:
    said = "sbatch: error: invalid partition specified: shrot\n"
    assert str(submit_failure(SLURM, Answer(1, "", said))) == "hpc: sbatch: error: invalid partition specified: shrot"


def test_a_submit_that_says_nothing_is_told_by_its_status() -> None:
    assert "exit status 3 and no message" in str(submit_failure(SLURM, Answer(3, "", "")))


def test_success_without_an_id_blames_the_pattern() -> None:
    assert "job_id_regex" in str(submit_failure(SLURM, Answer(0, "job seven is yours", "")))


def test_a_listing_is_keyed_by_id() -> None:
    assert listing(SQUEUE)["43"] == Listed("43", "PENDING", "PartitionTimeLimit", "k1-5")


def test_lines_without_a_bar_are_chatter() -> None:
    assert list(listing(f"Welcome to login1\n{SQUEUE}")) == ["43", "44", "15", "47", "48", "49"]


@pytest.mark.parametrize(
    ("id_", "meaning"),
    [
        ("43", Verdict.STUCK),
        ("44", Verdict.OK),
        ("15", Verdict.FAILED),
        ("47", Phase.RUNNING),
        ("48", Verdict.OUT_OF_MEMORY),
        ("49", Phase.QUEUED),
    ],
)
def test_slurms_states(id_: str, meaning: Phase | Verdict) -> None:
    assert classify(SLURM, listing(SQUEUE)[id_]) is meaning


@pytest.mark.parametrize(
    ("state", "meaning"), [("qw", Phase.QUEUED), ("r", Phase.RUNNING), ("Eqw", Verdict.STUCK), ("dr", Phase.RUNNING)]
)
def test_grid_engines_states(state: str, meaning: Phase | Verdict) -> None:
    assert classify(SGE, Listed("7", state)) is meaning


def test_a_state_nobody_knows_means_nothing() -> None:
    assert classify(SLURM, Listed("7", "TELEPORTING")) is None


def test_a_template_without_a_table_of_states_knows_the_common_words() -> None:
    seed = config("submit = 'x'\nmonitor = 'x'\nkill = 'x'\njob_id_regex = '(x)'")
    assert [classify(seed, Listed("7", state)) for state in ("PENDING", "R")] == [Phase.QUEUED, Phase.RUNNING]


def test_the_output_for_several_jobs_is_cut_by_job() -> None:
    cut = per_job(QSTAT_F, ["12.pbs", "13.pbs"])
    assert cut["13.pbs"].splitlines()[-1].strip() == "Exit_status = -29"
    assert "271" in cut["12.pbs"]
    assert "271" not in cut["13.pbs"]


def test_a_number_further_on_is_not_taken_for_a_job() -> None:
    assert list(per_job("Job <7>, Job Name <x>\n12:13 started\n 12 hosts\nlimit 13\n", ["7", "12", "13"])) == ["7"]


def test_an_id_is_not_found_within_a_longer_one() -> None:
    assert per_job("123|FAILED|\n12.other|FAILED|\n", ["12"]) == {}


@pytest.mark.parametrize(
    ("id_", "verdict"), [("12", Verdict.CANCELLED), ("13", Verdict.TIME_LIMIT), ("14", Verdict.NODE_FAILURE)]
)
def test_sacct_tells_why(id_: str, verdict: Verdict) -> None:
    found = verdict_of(SLURM, per_job(SACCT, ["12", "13", "14"])[id_])
    assert found is not None
    assert found[0] is verdict


def test_the_words_of_a_verdict_are_the_line_that_tells() -> None:
    assert verdict_of(SGE, QACCT) == (
        Verdict.TIME_LIMIT,
        "failed       37  : qmaster enforced h_rt, h_cpu, or h_vmem limit",
    )


def test_pbs_tells_a_walltime_from_a_kill() -> None:
    cut = per_job(QSTAT_F, ["12.pbs", "13.pbs"])
    found = [verdict_of(PBS, cut[job]) for job in ("12.pbs", "13.pbs")]
    assert [item[0] if item else None for item in found] == [Verdict.CANCELLED, Verdict.TIME_LIMIT]


def test_silence_is_no_verdict() -> None:
    assert verdict_of(SLURM, "") is None
