"""Snakemake on a real Slurm: what a cluster does to jobs is told so that a person knows what to change."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable

import pytest

from tests.adapters.snakemake.elsewhere import QUICK
from tests.adapters.snakemake.workflow import Workflow
from tests.services.running import Slurm

SNAKEFILE = f"""
    rule all:
        input: "s3.bam", "s3.bai"
    rule align:
        output: "{{sample}}.bam"
        resources: mem_mb=100
        shell: "echo reading the genome >&2; {sys.executable} hungry.py"
    rule index:
        output: "{{sample}}.bai"
        shell: "samtools-that-nobody-has index"
"""
HUNGRY = "import time; all_of_it = bytearray(400 << 20); time.sleep(30)"
CONFIG = f"[[backends]]\nname = 'slurm'\npreset = 'slurm'\nenv = {{ CONDA_PREFIX = false }}\n{QUICK}"


@pytest.fixture(scope="module")
def said(slurm: Slurm, shared_workflow: Callable[[str], Workflow]) -> str:
    workflow = shared_workflow("on-cluster")
    workflow.env = {**slurm.env, "CONDA_PREFIX": "/opt/envs/ngs"}
    workflow.write(SNAKEFILE, CONFIG, **{"hungry.py": HUNGRY})
    return workflow.run("--crankshaft-direct", "--keep-going", ok=False)


@pytest.mark.slow
def test_out_of_memory_names_job_node_what_was_asked_and_what_to_raise(said: str) -> None:
    where = rf"align\[sample=s3\] \(slurm \d+, {os.uname().nodename}\)"
    assert re.search(rf"message: {where}: out of memory, asked 100 MiB\. Raise mem_mb in rule 'align'\. ", said), said
    assert "reading the genome" in said


@pytest.mark.slow
def test_a_command_that_is_not_there_is_told_with_the_environment_that_was_active_here(said: str) -> None:
    node = os.uname().nodename
    assert f"samtools-that-nobody-has: command not found on {node} (exit 127). Conda env 'ngs' was active here" in said
    assert ", not passed there; see `env` and `prologue` of backend 'slurm'." in said
