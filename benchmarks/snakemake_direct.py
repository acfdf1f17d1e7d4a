"""Direct mode against Snakemake's own local executor, and what a step of a chain costs on Slurm.

    python benchmarks/snakemake_direct.py [JOBS] [PAIRS]        (default: 200 and 3)

JOBS short shell rules in an empty directory: `--cores 2` against `--executor crankshaft --crankshaft-direct --jobs
2` on this machine, in pairs, one after the other; the wall time is that of the whole command, the ratio the median's.

Then ten rules of one second each, one after the other, on the Slurm of tests/services: the overhead of a step is the
wall time less that of a workflow without jobs, less the ten seconds, by step. An inner Snakemake's own start-up is
measured beside it: the same inner command, run by hand.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the services of the tests

from tests.services.running import Services, UnavailableError

SHORT = """
rule all:
    input: expand("{{n}}.txt", n=range({jobs}))
rule one:
    output: "{{n}}.txt"
    shell: "echo {{wildcards.n}} > {{output}}"
"""
CHAIN = """
STEPS = 10
rule all:
    input: f"{STEPS}.txt"
rule first:
    output: "0.txt"
    localrule: True
    shell: "touch {output}"
rule step:
    input: lambda wildcards: f"{int(wildcards.n) - 1}.txt"
    output: "{n,[1-9][0-9]*}.txt"
    shell: "sleep 1; touch {output}"
"""
STEPS = 10
CORES = ("--cores", "2")
DIRECT = ("--executor", "crankshaft", "--crankshaft-direct", "--jobs", "2")
SLURM = '[[backends]]\nname = "slurm"\npreset = "slurm"\n'


def seconds(snakefile: str, *flags: str, env: dict[str, str] | None = None, config: str = "") -> float:
    """The wall time of one workflow in an empty directory. Ends the program if it fails."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "Snakefile").write_text(snakefile)
        if config:
            Path(directory, "Crankshaft.toml").write_text(config)
        begin = time.perf_counter()
        command = [sys.executable, "-m", "snakemake", *flags]
        done = subprocess.run(command, cwd=directory, env=env, capture_output=True, text=True, check=False)
        elapsed = time.perf_counter() - begin
        if done.returncode:
            sys.exit(f"{' '.join(flags)}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return elapsed


def load() -> str:
    return Path("/proc/loadavg").read_text().split()[0]


def compare(jobs: int, pairs: int) -> None:
    snakefile = SHORT.format(jobs=jobs)
    ratios: list[float] = []
    for _ in range(pairs):
        theirs, ours = seconds(snakefile, *CORES), seconds(snakefile, *DIRECT)
        ratios.append(ours / theirs)
        print(f"{jobs} short rules: local executor {theirs:.1f} s, direct {ours:.1f} s (load {load()})", flush=True)
    print(f"direct / local executor: {statistics.median(ratios):.2f}")


def chain(env: dict[str, str]) -> None:
    def overhead(*flags: str) -> float:
        run = ("--executor", "crankshaft", "--jobs", "1", *flags)
        nothing = seconds(CHAIN.replace("STEPS = 10", "STEPS = 0"), *run, env=env, config=SLURM)
        return (seconds(CHAIN, *run, env=env, config=SLURM) - nothing - STEPS) / STEPS

    through, direct, inner = overhead(), overhead("--crankshaft-direct"), inner_start()
    print(f"a step on Slurm costs {through:.2f} s, of it {inner:.2f} s the inner Snakemake's own start (load {load()})")
    print(f"the rest: {through - inner:.2f} s; a step that runs directly costs {direct:.2f} s")


def inner_start() -> float:
    """What an inner run takes for a rule that does nothing."""
    snakefile = CHAIN.replace("sleep 1; ", "").replace("STEPS = 10", "STEPS = 1")
    flags = ("--cores", "1", "--force", "--nolock", "--allowed-rules", "step", "--target-jobs", "step:n=1")
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "Snakefile").write_text(snakefile)
        Path(directory, "0.txt").touch()
        command = [sys.executable, "-m", "snakemake", *flags, "--max-jobs-per-timespan", "1000/0s", "--mode", "remote"]
        begin = time.perf_counter()
        subprocess.run(command, cwd=directory, capture_output=True, check=True)
        return time.perf_counter() - begin


def main(jobs: int, pairs: int) -> None:
    compare(jobs, pairs)
    with closing(Services(Path(__file__).parents[1] / "tests" / "services")) as services:
        try:
            slurm = services.slurm()
        except UnavailableError as error:
            print(f"no chain on Slurm: {error}")
            return
        chain({**os.environ, **slurm.env, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"})


if __name__ == "__main__":
    arguments = [int(word) for word in sys.argv[1:]]
    main(*(arguments + [200, 3][len(arguments) :]))
