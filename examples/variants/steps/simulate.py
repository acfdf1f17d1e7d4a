"""Cultures that never grew: mutations planted in a genome, and the reads that a sequencer would make of it."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import mappy

from .genome import SNV, read_genome, read_planted, write_planted

BASES = "ACGT"
READ_LENGTH = 150
QUALITY = "I" * READ_LENGTH
MARGIN = 300  # few reads reach the very ends of a linear genome
SPACING = 100  # mutations close to each other could keep a read from aligning


def plant(genome: Path, planted: Path, *, samples: Sequence[str], seed: int, common: int = 12, own: int = 10) -> None:
    """Give each sample `own` mutations of its own, and about half of the `common` ones."""
    rng = random.Random(f"plant {seed}")
    sequence = read_genome(genome).sequence
    slots = rng.sample(range(MARGIN, len(sequence) - MARGIN, SPACING), common + own * len(samples))
    sites = [slot + rng.randrange(SPACING // 2) for slot in slots]
    snvs = [SNV(site + 1, sequence[site], _another(sequence[site], rng)) for site in sites]
    shared, rest = snvs[:common], snvs[common:]
    truth = {
        sample: {snv for snv in shared if rng.random() < 0.5} | set(rest[n * own : (n + 1) * own])
        for n, sample in enumerate(samples)
    }
    write_planted(planted, truth)


def sequence_sample(
    genome: Path, planted: Path, reads: Path, *, sample: str, seed: int, coverage: float, error_rate: float
) -> None:
    """Write the sample's reads, both strands, as gzipped FASTQ."""
    rng = random.Random(f"{sample} {seed}")
    bases = list(read_genome(genome).sequence)
    for snv in read_planted(planted)[sample]:
        bases[snv.position - 1] = snv.alt
    count = round(coverage * len(bases) / READ_LENGTH)
    # no time stamp and no name in the header: the same reads are the same file
    with reads.open("wb") as file, gzip.GzipFile("", "wb", 1, file, mtime=0) as packed:
        for n, read in enumerate(_reads("".join(bases), count, error_rate=error_rate, rng=rng)):
            packed.write(f"@{sample}.{n}\n{read}\n+\n{QUALITY}\n".encode())


def _reads(sequence: str, count: int, *, error_rate: float, rng: random.Random) -> Iterator[str]:
    for _ in range(count):
        start = rng.randrange(len(sequence) - READ_LENGTH + 1)
        read = [
            _another(base, rng) if rng.random() < error_rate else base for base in sequence[start : start + READ_LENGTH]
        ]
        text = "".join(read)
        yield text if rng.random() < 0.5 else mappy.revcomp(text)


def _another(base: str, rng: random.Random) -> str:
    return rng.choice([other for other in BASES if other != base])
