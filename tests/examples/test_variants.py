"""The example `variants`: what is called is what was planted, also through Crankshaft; a wrong call does not pass."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pysam
import pytest

from crankshaft_core.config import Config

EXAMPLE = Path(__file__).parents[2] / "examples" / "variants"
SAMPLES = ("amber", "beryl")

pytestmark = pytest.mark.slow


def snakemake(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        ["snakemake", *arguments, "--config", f"samples=[{','.join(SAMPLES)}]"],
        cwd=directory,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def copy_of_example(directory: Path) -> Path:
    ignored = shutil.ignore_patterns(".snakemake", "results", "logs", "__pycache__")
    return Path(shutil.copytree(EXAMPLE, directory, ignore=ignored))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example after Snakemake alone has run it."""
    directory = copy_of_example(tmp_path_factory.mktemp("variants") / "example")
    run = snakemake(directory, "--cores", "2")
    assert run.returncode == 0, run.stderr
    return directory


def test_the_calls_are_exactly_what_was_planted(done: Path) -> None:
    planted = {tuple(row.split("\t")) for row in (done / "results/planted.tsv").read_text().splitlines()[1:]}
    called: set[tuple[str, ...]] = set()
    for sample in SAMPLES:
        records = (done / "results" / sample / "calls.vcf").read_text().splitlines()
        for _, position, _, ref, alt, *_ in (line.split("\t") for line in records if not line.startswith("#")):
            called.add((sample, position, ref, alt))
    assert called == planted
    assert len(planted) > 2 * 10


def test_the_reads_carry_errors_that_are_not_called(done: Path) -> None:
    with pysam.AlignmentFile(str(done / "results/amber/sorted.bam")) as alignment:
        counts = alignment.count_coverage(alignment.references[0])
    erroneous = sum(sorted(column)[-2] > 0 for column in zip(*counts, strict=True))
    assert erroneous > 1000


def test_the_table_has_each_mutation_once_with_its_samples(done: Path) -> None:
    header, *rows = [line.split("\t") for line in (done / "results/table.tsv").read_text().splitlines()]
    assert header == ["position", "ref", "alt", "samples", *SAMPLES]
    assert len({row[0] for row in rows}) == len(rows)
    assert all(int(row[3]) == sum(cell != "." for cell in row[4:]) for row in rows)


def test_the_picture_is_drawn(done: Path) -> None:
    picture = (done / "results/mutations.svg").read_text()
    assert "<svg" in picture
    assert "amber" in picture


def drop_one(calls: str) -> str:
    lines = calls.splitlines(keepends=True)
    return "".join(lines[:-1])


def add_one(calls: str) -> str:
    *_, last = calls.splitlines()
    contig, position, *rest = last.split("\t")
    return calls + "\t".join([contig, str(int(position) + 7), *rest]) + "\n"


def change_one(calls: str) -> str:
    *lines, last = calls.splitlines()
    contig, position, name, ref, alt, *rest = last.split("\t")
    other = next(base for base in "ACGT" if base not in {ref, alt})
    return "\n".join([*lines, "\t".join([contig, position, name, ref, other, *rest])]) + "\n"


@pytest.mark.parametrize(
    ("corrupt", "complaint"), [(drop_one, "missed"), (add_one, "invented"), (change_one, "invented")]
)
def test_the_last_rule_fails_for_a_wrong_call(
    corrupt: Callable[[str], str], complaint: str, done: Path, tmp_path: Path
) -> None:
    directory = Path(shutil.copytree(done, tmp_path / "example"))
    calls = directory / "results/beryl/calls.vcf"
    calls.write_text(corrupt(calls.read_text()))
    run = snakemake(directory, "--cores", "1", "results/verified.txt")
    assert run.returncode == 1
    assert "Error in rule verify" in run.stderr
    assert re.search(
        rf"^beryl: {complaint} \d+ [ACGT]>[ACGT]$", (directory / "logs/verify.log").read_text(), re.MULTILINE
    )
    assert not (directory / "results/verified.txt").exists()


def test_through_crankshaft_with_nothing_configured_the_answer_is_the_same(done: Path, tmp_path: Path) -> None:
    directory = copy_of_example(tmp_path / "example")
    run = snakemake(directory, "--executor", "crankshaft", "--jobs", "4")
    assert run.returncode == 0, run.stderr
    for result in ("planted.tsv", "table.tsv", "verified.txt", "mutations.svg"):
        assert (directory / "results" / result).read_bytes() == (done / "results" / result).read_bytes(), result


def test_every_backend_that_its_configuration_shows_loads() -> None:
    _, _, backends = (EXAMPLE / "Crankshaft.toml").read_text().partition("# default =")
    shown = re.sub("^# ", "", "# default =" + backends, flags=re.MULTILINE)
    assert list(Config.parse(shown).backends) == ["slurm", "slurm-ssh", "queue", "docker", "cloud", "local"]
