"""A genome of one sequence, and single-base changes to it."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import mappy


@dataclass(frozen=True, slots=True)
class Genome:
    """One sequence and its name."""

    name: str
    sequence: str


@dataclass(frozen=True, slots=True, order=True)
class SNV:
    """One base that differs from the genome; `position` counts from 1, as in VCF."""

    position: int
    ref: str
    alt: str


def read_genome(path: Path) -> Genome:
    """The only sequence of a FASTA file."""
    records = [Genome(name, sequence.upper()) for name, sequence, _ in mappy.fastx_read(str(path))]
    if len(records) != 1:
        raise ValueError(f"{path} holds {len(records)} sequences; this pipeline wants one")
    return records[0]


def read_planted(path: Path) -> dict[str, set[SNV]]:
    """Which mutations each sample was given."""
    planted: dict[str, set[SNV]] = {}
    with path.open(newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            planted.setdefault(row["sample"], set()).add(SNV(int(row["position"]), row["ref"], row["alt"]))
    return planted


def write_planted(path: Path, planted: dict[str, set[SNV]]) -> None:
    """The table that `read_planted` reads."""
    with path.open("w", newline="") as lines:
        table = csv.writer(lines, delimiter="\t", lineterminator="\n")
        table.writerow(["sample", "position", "ref", "alt"])
        for sample, snvs in planted.items():
            table.writerows([sample, snv.position, snv.ref, snv.alt] for snv in sorted(snvs))
