"""The example pipeline as a flow gives the answer that it gives as a Snakemake workflow."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[3] / "examples" / "variants"

pytestmark = pytest.mark.slow


def run(directory: Path, environment: dict[str, str], *command: str) -> Path:
    """The example's results, made by this command in a copy of it."""
    shutil.copytree(EXAMPLE, directory, ignore=shutil.ignore_patterns(".snakemake", "results", "logs"))
    path = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    ran = subprocess.run(
        command,
        cwd=directory,
        env={**environment, "PATH": path},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return directory / "results"


def test_the_flow_and_the_workflow_give_the_same_answer(tmp_path: Path, environment: dict[str, str]) -> None:
    workflow = run(tmp_path / "workflow", environment, "snakemake", "--cores", "2", "--config", "samples=[amber]")
    flow = run(tmp_path / "flow", environment, sys.executable, "flow.py", "--samples", "amber")
    for result in ("planted.tsv", "table.tsv", "verified.txt", "mutations.svg"):
        assert (flow / result).read_bytes() == (workflow / result).read_bytes(), result
