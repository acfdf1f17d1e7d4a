"""`crankshaft check` and `crankshaft jobs`, where Slurm is the only one who knows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.integration.slurm.jobs import said, state
from tests.services.running import Slurm

CRANKSHAFT = str(Path(sys.executable).with_name("crankshaft"))
RUNS = (f"kgone{number:02}" for number in count())
"""Slurm lists a job for a while after its end, under its name."""

Answers = Callable[..., list[dict[str, object]]]


@pytest.fixture
def crankshaft(slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Answers:
    """The JSON lines of a command, in a directory whose file says little more than `preset`."""
    for name, value in {**slurm.env, "XDG_STATE_HOME": str(tmp_path / "state")}.items():
        monkeypatch.setenv(name, value)
    quick = "poll_interval = 0.2\nsweep_interval = 1\ngrace = '1s'\n"
    (tmp_path / "Crankshaft.toml").write_text(f"[[backends]]\nname = 'hpc'\npreset = 'slurm'\n{quick}")

    def call(*words: str, before: tuple[str, ...] = ()) -> list[dict[str, object]]:
        done = subprocess.run(
            [*before, CRANKSHAFT, *words, "--json"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    return call


@pytest.fixture
def orphan(crankshaft: Answers) -> Iterator[tuple[str, str]]:
    """The run and the id of a job under a name of ours, of which there is neither a journal nor a directory."""
    del crankshaft  # for its environment
    run = next(RUNS)
    job = said("sbatch", "--parsable", f"--job-name={run}-7-2", "--output=/dev/null", "--wrap=sleep 600").strip()
    yield run, job
    subprocess.run(["scancel", job], check=False)


def test_check_tells_where_and_when_a_task_would_run_and_that_its_record_comes_back(crankshaft: Answers) -> None:
    (health,) = crankshaft("check", "hpc", "--probe")
    notes = str(health["notes"])
    assert (health["ok"], health["warnings"]) == (True, [])
    assert "a task that asks for the defaults: 20" in notes
    assert "in partition normal" in notes
    assert f"a job ran on {os.uname().nodename}, and its record came back after " in notes


@pytest.mark.skipif(os.geteuid() != 0, reason="a file system that the node does not see is mounted by root")
def test_check_tells_of_a_work_dir_that_the_node_does_not_share(crankshaft: Answers, tmp_path: Path) -> None:
    (tmp_path / ".crankshaft").mkdir()
    unshared = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none .crankshaft; exec "$0" "$@"')
    (health,) = crankshaft("check", "hpc", "--probe", before=unshared)
    assert health["ok"] is False
    assert f"do the workers see {tmp_path}/.crankshaft/" in str(health["warnings"])


def test_check_warns_of_defaults_with_which_nothing_would_start(
    crankshaft: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRANKSHAFT_BACKENDS__HPC__DEFAULTS__CPU", "64")
    (health,) = crankshaft("check", "hpc")
    why = "allocation failure: Requested node configuration is not available"
    assert health["warnings"] == [f"a task that asks for the defaults would not start: {why}"]


def test_a_job_that_only_slurm_knows_of_is_listed(crankshaft: Answers, orphan: tuple[str, str]) -> None:
    run, job = orphan
    found = [item for item in crankshaft("jobs", "--backend", "hpc") if item["run"] == run]
    assert [(item["id"], item["job"], item["journal"]) for item in found] == [(f"{run}-7-2", job, None)]


def test_a_job_that_only_slurm_knows_of_is_ended(crankshaft: Answers, orphan: tuple[str, str]) -> None:
    run, job = orphan
    (ended,) = crankshaft("cancel", "--backend", "hpc", "--run", run)
    assert (ended["job"], ended["ended"]) == (job, True)
    assert state(job) in {"CANCELLED", "COMPLETING"}
