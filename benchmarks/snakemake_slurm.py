"""A workflow of one-rule jobs on a real Slurm: `--executor crankshaft` beside the other executors for Slurm.

    python benchmarks/snakemake_slurm.py [JOBS]        (default: 60)

The Slurm of tests/services runs on this machine. The peers are snakemake-executor-plugin-slurm, with its defaults and
once more told to look at its jobs at once (its default is 40 s later) and to submit them as one array, and
snakemake-executor-plugin-cluster-generic. Those that are not installed are left out, and said so. Each runs the same
JOBS independent rules, `--jobs JOBS`, from an empty directory; the wall time is that of the whole command.

The inner commands that crankshaft submitted are then submitted once more by bare `sbatch`, four at a time, and waited
for: what the jobs themselves cost, with nobody watching them, and without the outer Snakemake's start.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the services of the tests

from tests.services.running import Services, Slurm

SNAKEFILE = """
rule all:
    input: expand("out/{{n}}", n=range({jobs}))
rule one:
    output: "out/{{n}}"
    resources: mem_mb=500, runtime=5
    shell: "echo {{wildcards.n}} > {{output}}"
"""
CONFIG = '[[backends]]\nname = "slurm"\npreset = "slurm"\nmax_tasks = 1000\nkeep_dirs = true\n'
BARE = ["sbatch", "--parsable", "--ntasks=1", "--cpus-per-task=1", "--mem=500M", "--time=5", "--output=/dev/null"]
SBATCH = "sbatch --parsable --mem={resources.mem_mb}M --time={resources.runtime} --output=/dev/null"
SLURM = ("--executor", "slurm", "--default-resources", "slurm_account=acct", "slurm_partition=normal")

EXECUTORS = {
    "crankshaft": ["--executor", "crankshaft"],
    "slurm": [*SLURM],
    "slurm, tuned": [*SLURM, "--slurm-init-seconds-before-status-checks", "1", "--slurm-array-jobs", "all"],
    "cluster-generic": ["--executor", "cluster-generic", "--cluster-generic-submit-cmd", SBATCH],
}

PATIENCE = 600.0  # seconds

SRUN = """#!/bin/sh
SLURM_CONF={conf} exec {srun} "$@"
"""
"""Inside a job the slurm plugin starts `srun` without SLURM_CONF, so it works where the configuration is in /etc/slurm.
That of our Slurm is elsewhere."""


def measured(executor: str, jobs: int, environment: dict[str, str], directory: Path) -> float | None:
    """Seconds; None, with the last words said, if the workflow did not end well."""
    (directory / "Snakefile").write_text(SNAKEFILE.format(jobs=jobs))
    (directory / "Crankshaft.toml").write_text(CONFIG)
    command = [sys.executable, "-m", "snakemake", "--jobs", str(jobs), *EXECUTORS[executor]]
    begun = time.perf_counter()
    done = subprocess.run(
        command, cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    seconds = time.perf_counter() - begun
    made = len(list((directory / "out").glob("*")))
    if done.returncode or made != jobs:
        print(f"{executor}: exit code {done.returncode}, {made} of {jobs} files\n{done.stdout.decode()[-2000:]}")
        return None
    return seconds


def bare(environment: dict[str, str], directory: Path) -> float:
    """Seconds for the inner commands of the run that crankshaft left in this directory, submitted by hand."""
    commands = [inner_command(job) for job in directory.glob(".crankshaft/*/tasks/*/job")]
    shutil.rmtree(directory / "out")
    ended = directory / "ended"
    ended.mkdir()

    def submit(number: int) -> None:
        wrap = f"--wrap={commands[number]} && touch {shlex.quote(str(ended / str(number)))}"
        subprocess.run([*BARE, wrap], cwd=directory, env=environment, capture_output=True, check=True)

    begun = time.perf_counter()
    with ThreadPoolExecutor(4) as hands:
        list(hands.map(submit, range(len(commands))))
    while len(list(ended.iterdir())) < len(commands):
        if time.perf_counter() - begun > PATIENCE:
            sys.exit(f"bare sbatch: {len(list(ended.iterdir()))} of {len(commands)} jobs ended in {PATIENCE:.0f} s")
        time.sleep(0.1)
    return time.perf_counter() - begun


def inner_command(job: Path) -> str:
    """The shell words that a job's script runs."""
    found = re.search(r"^_ck_step_0\(\) \{ exec -- (.*); \}$", job.read_text(), re.MULTILINE)
    if found is None:
        sys.exit(f"{job}: no command of an inner Snakemake in it")
    return found[1]


def installed(executor: str) -> bool:
    plugin = EXECUTORS[executor][1].replace("-", "_")
    return importlib.util.find_spec(f"snakemake_executor_plugin_{plugin}") is not None


def surroundings(slurm: Slurm, programs: Path) -> dict[str, str]:
    """The environment of all of them."""
    real = shutil.which("srun")
    assert real is not None
    srun = programs / "srun"
    srun.write_text(SRUN.format(conf=shlex.quote(str(slurm.conf)), srun=real))
    srun.chmod(0o755)
    path = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, **slurm.env, "PATH": path}


def main(jobs: int) -> None:
    with (
        closing(Services(Path(__file__).parents[1] / "tests" / "services")) as services,
        tempfile.TemporaryDirectory() as programs,
    ):
        environment = surroundings(services.slurm(), Path(programs))
        with tempfile.TemporaryDirectory() as directory:
            ours = measured("crankshaft", jobs, environment, Path(directory))
            if ours is None:
                sys.exit(1)
            print(f"{jobs} jobs: crankshaft {ours:.1f} s", flush=True)
            by_hand = bare(environment, Path(directory))
            print(f"{jobs} jobs: bare sbatch {by_hand:.1f} s, ratio {ours / by_hand:.2f}", flush=True)
        for peer in [name for name in EXECUTORS if name != "crankshaft"]:
            if not installed(peer):
                print(f"{peer}: the plugin is not installed")
                continue
            with tempfile.TemporaryDirectory() as directory:
                theirs = measured(peer, jobs, environment, Path(directory))
            if theirs is not None:
                print(f"{jobs} jobs: {peer} {theirs:.1f} s, ratio {ours / theirs:.2f}", flush=True)


if __name__ == "__main__":
    main(*[int(argument) for argument in sys.argv[1:]] or [60])
