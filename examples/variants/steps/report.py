"""All samples side by side, and whether they came out as they were made."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from .call import read_calls
from .genome import SNV, read_planted


class WrongCallsError(Exception):
    """What was called is not what was planted. The text has one line for each difference."""


def tabulate(calls: Mapping[str, Path], table: Path) -> None:
    """One row for each mutation: in how many samples it is, and the fraction of reads that show it in each."""
    called = {sample: read_calls(path) for sample, path in calls.items()}
    snvs = sorted({snv for found in called.values() for snv in found})
    with table.open("w", newline="") as lines:
        rows = csv.writer(lines, delimiter="\t", lineterminator="\n")
        rows.writerow(["position", "ref", "alt", "samples", *called])
        for snv in snvs:
            fractions = [f"{found[snv]:.2f}" if snv in found else "." for found in called.values()]
            rows.writerow([snv.position, snv.ref, snv.alt, sum(snv in found for found in called.values()), *fractions])


def check(planted: Path, calls: Mapping[str, Path], report: Path) -> None:
    """Write one line for each sample; raise WrongCallsError if a call is missing, or one too many."""
    truth = read_planted(planted)
    called = {sample: set(read_calls(path)) for sample, path in calls.items()}
    wrong = [line for sample in called for line in _differences(sample, truth.get(sample, set()), called[sample])]
    wrong += [f"{sample}: planted, and nobody called it" for sample in truth.keys() - called.keys()]
    if wrong:
        raise WrongCallsError("\n".join(wrong))
    lines = [f"{sample}: all {len(snvs)} planted mutations found, and no other" for sample, snvs in called.items()]
    report.write_text("\n".join(lines) + "\n")


def _differences(sample: str, planted: set[SNV], called: set[SNV]) -> list[str]:
    missed = [f"{sample}: missed {snv.position} {snv.ref}>{snv.alt}" for snv in sorted(planted - called)]
    invented = [f"{sample}: invented {snv.position} {snv.ref}>{snv.alt}" for snv in sorted(called - planted)]
    return missed + invented
