"""An alignment to the mutations it shows, and how deep it covers the genome."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pysam

from .genome import SNV, read_genome

MIN_DEPTH = 10
MIN_FRACTION = 0.8  # a phage has one copy of its genome: nearly all reads must agree
MIN_MAPPING_QUALITY = 20
WINDOW = 500  # bases that share one value of depth


def call(genome: Path, bam: Path, calls: Path, depth: Path, *, sample: str) -> None:
    """Pile the reads up, and write the mutations as VCF and the mean depth of each window as a table."""
    reference = read_genome(genome)
    pile = _pile_up(bam, reference.name)
    header = pysam.VariantHeader()
    header.contigs.add(reference.name, length=len(reference.sequence))
    header.add_sample(sample)
    header.formats.add("GT", 1, "String", "The one allele of a haploid genome")
    header.formats.add("DP", 1, "Integer", "Reads over this position")
    header.formats.add("AF", 1, "Float", "Fraction of them with the other base")
    with pysam.VariantFile(str(calls), "w", header=header) as out:
        for snv, reads, fraction in _mutations(reference.sequence, pile):
            record = out.new_record(
                contig=reference.name, start=snv.position - 1, alleles=(snv.ref, snv.alt), filter="PASS"
            )
            record.samples[sample].update({"GT": (1,), "DP": reads, "AF": fraction})
            out.write(record)
    _write_depth(depth, [sum(column) for column in pile])


def read_calls(path: Path) -> dict[SNV, float]:
    """The mutations of a VCF file of one sample, each with the fraction of reads that show it."""
    with pysam.VariantFile(str(path)) as records:
        return {
            SNV(record.pos, str(record.ref), (record.alts or (".",))[0]): float(record.samples[0]["AF"])
            for record in records
        }


Column = tuple[int, int, int, int]
"""How many reads show A, C, G and T at one position."""


def _pile_up(bam: Path, contig: str) -> list[Column]:
    with pysam.AlignmentFile(str(bam), "rb") as alignment:
        counts = alignment.count_coverage(
            contig, read_callback=lambda read: read.mapping_quality >= MIN_MAPPING_QUALITY
        )
    return list(zip(*counts, strict=True))


def _mutations(sequence: str, pile: list[Column]) -> Iterator[tuple[SNV, int, float]]:
    for n, (ref, column) in enumerate(zip(sequence, pile, strict=True)):
        depth = sum(column)
        reads, alt = max(zip(column, "ACGT", strict=True))
        if alt != ref and depth >= MIN_DEPTH and reads >= MIN_FRACTION * depth:
            yield SNV(n + 1, ref, alt), depth, reads / depth


def _write_depth(path: Path, depth: list[int]) -> None:
    with path.open("w", newline="") as lines:
        table = csv.writer(lines, delimiter="\t", lineterminator="\n")
        table.writerow(["start", "depth"])
        for start in range(0, len(depth), WINDOW):
            window = depth[start : start + WINDOW]
            table.writerow([start + 1, f"{sum(window) / len(window):.1f}"])
