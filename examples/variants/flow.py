"""Mutations of phage lambda, as in the Snakefile: the same steps over the same Crankshaft.toml, as a Prefect flow.

    python flow.py
    python flow.py --backend slurm --samples amber beryl

Where the tasks run is written in Crankshaft.toml, not here. The files they exchange are in `results`, so the place
must see this directory: this machine, a cluster's shared file system.
"""

import argparse
from pathlib import Path

import yaml
from prefect import flow, task
from prefect.futures import wait
from steps.align import align, sort
from steps.call import call
from steps.plot import plot
from steps.report import check, tabulate
from steps.simulate import plant, sequence_sample

from prefect_crankshaft import CrankshaftTaskRunner, crankshaft_options

CONFIG = yaml.safe_load(Path("config.yaml").read_text())
GENOME = Path(CONFIG["genome"])
RESULTS = Path("results")


@task
@crankshaft_options(ram="200MB", time="5m")
def plant_mutations(samples: list[str]) -> Path:
    planted = RESULTS / "planted.tsv"
    plant(GENOME, planted, samples=samples, seed=CONFIG["seed"])
    return planted


@task(task_run_name="sequence-{sample}")
@crankshaft_options(ram="300MB", time="5m")
def sequence(sample: str, planted: Path) -> Path:
    reads = RESULTS / sample / "reads.fastq.gz"
    reads.parent.mkdir(exist_ok=True)
    chosen = {name: CONFIG[name] for name in ("seed", "coverage", "error_rate")}
    sequence_sample(GENOME, planted, reads, sample=sample, **chosen)
    return reads


# One task does both: the unsorted alignment never leaves the machine it was made on.
@task(task_run_name="align-{sample}")
@crankshaft_options(cpu=2, ram="500MB", time="10m")
def align_and_sort(sample: str, reads: Path) -> Path:
    unsorted, bam = RESULTS / sample / "unsorted.bam", RESULTS / sample / "sorted.bam"
    align(GENOME, reads, unsorted, sample=sample, threads=2)
    sort(unsorted, bam, threads=2)
    unsorted.unlink()
    return bam


@task(task_run_name="call-{sample}")
@crankshaft_options(ram="300MB", time="10m")
def call_mutations(sample: str, bam: Path) -> tuple[Path, Path]:
    calls, depth = RESULTS / sample / "calls.vcf", RESULTS / sample / "depth.tsv"
    call(GENOME, bam, calls, depth, sample=sample)
    return calls, depth


@task
@crankshaft_options(ram="200MB", time="5m")
def make_table(called: dict[str, tuple[Path, Path]]) -> Path:
    table = RESULTS / "table.tsv"
    tabulate({sample: calls for sample, (calls, _) in called.items()}, table)
    return table


@task
@crankshaft_options(ram="500MB", time="5m")
def draw(table: Path, called: dict[str, tuple[Path, Path]]) -> Path:
    picture = RESULTS / "mutations.svg"
    plot(table, {sample: depth for sample, (_, depth) in called.items()}, picture)
    return picture


@task
@crankshaft_options(ram="200MB", time="5m")
def verify(planted: Path, called: dict[str, tuple[Path, Path]]) -> Path:
    """Fails unless what was called is what was planted."""
    report = RESULTS / "verified.txt"
    check(planted, {sample: calls for sample, (calls, _) in called.items()}, report)
    return report


@flow
def variants(samples: list[str]) -> None:
    RESULTS.mkdir(exist_ok=True)
    planted = plant_mutations.submit(samples)
    called = {}
    for sample in samples:
        reads = sequence.submit(sample, planted)
        called[sample] = call_mutations.submit(sample, align_and_sort.submit(sample, reads))
    ends = [draw.submit(make_table.submit(called), called), verify.submit(planted, called)]
    wait(ends)
    for end in ends:
        print(end.result())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", help="a name of Crankshaft.toml; by default the default one")
    parser.add_argument("--samples", nargs="+", default=CONFIG["samples"])
    arguments = parser.parse_args()
    variants.with_options(task_runner=CrankshaftTaskRunner(arguments.backend))(arguments.samples)
