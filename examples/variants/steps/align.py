"""Reads to a sorted, indexed alignment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mappy
import pysam

from .genome import read_genome

SOFT_CLIP = 4  # SAM specification, section 1.4.6
REVERSE, UNMAPPED = 0x10, 0x4  # likewise, 1.4.2

Read = tuple[str, str, str]
"""Name, bases and qualities."""


def align(genome: Path, reads: Path, bam: Path, *, sample: str, threads: int = 1) -> None:
    """Align gzipped FASTQ with minimap2's short-read preset, in the order of the reads."""
    reference = read_genome(genome)
    header = pysam.AlignmentHeader.from_dict(
        {
            "HD": {"VN": "1.6", "SO": "unsorted"},
            "SQ": [{"SN": reference.name, "LN": len(reference.sequence)}],
            "RG": [{"ID": sample, "SM": sample}],
        }
    )
    aligner = mappy.Aligner(str(genome), preset="sr", best_n=1, n_threads=threads)
    if not aligner:
        raise ValueError(f"minimap2 could not index {genome}")

    def record(read: Read) -> pysam.AlignedSegment:
        hit = next(iter(aligner.map(read[1], buf=mappy.ThreadBuffer())), None)
        return _record(header, read, hit, sample=sample)

    with pysam.AlignmentFile(str(bam), "wb", header=header) as out, ThreadPoolExecutor(threads) as pool:
        for aligned in pool.map(record, mappy.fastx_read(str(reads))):
            out.write(aligned)


def sort(bam: Path, sorted_bam: Path, *, threads: int = 1) -> None:
    """Sort by position, and write the index beside."""
    pysam.sort("-@", str(threads - 1), "-o", str(sorted_bam), str(bam))
    pysam.index(str(sorted_bam))


def _record(
    header: pysam.AlignmentHeader, read: Read, hit: mappy.Alignment | None, *, sample: str
) -> pysam.AlignedSegment:
    name, sequence, quality = read
    record = pysam.AlignedSegment(header)
    record.query_name = name
    record.set_tag("RG", sample)
    if hit is None:
        record.flag = UNMAPPED
        record.query_sequence = sequence
        record.query_qualities = pysam.qualitystring_to_array(quality)
        return record
    forward = hit.strand > 0
    before, after = (hit.q_st, len(sequence) - hit.q_en)[:: hit.strand]
    clipped = [(SOFT_CLIP, before), *((op, length) for length, op in hit.cigar), (SOFT_CLIP, after)]
    record.flag = 0 if forward else REVERSE
    record.query_sequence = sequence if forward else mappy.revcomp(sequence)
    record.query_qualities = pysam.qualitystring_to_array(quality[:: hit.strand])
    record.reference_id = 0
    record.reference_start = hit.r_st
    record.mapping_quality = hit.mapq
    record.cigartuples = [(op, length) for op, length in clipped if length]
    return record
