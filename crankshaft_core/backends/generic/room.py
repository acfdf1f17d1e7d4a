"""How much room a file system has, from what `df -Pk`, `df -Pi` and `quota -wp` print. Pure functions.

The last is read as quota(1) of Linux describes it, and was not tried on a system that has quotas.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Room", "full", "no_room"]

_LINE = re.compile(r"^(\S.*?)\s+(\d+)\s+(\d+)\s+(-?\d+)\s+(\d+)%\s+(/.*)$", re.MULTILINE)
"""POSIX, df: file system, total, used, available, capacity, mount point."""
_FULL = re.compile(r"quota exceeded|No space left on device", re.IGNORECASE)
"""EDQUOT and ENOSPC, as the C library words them."""

_LEAST_GIB = 1.0
_LEAST_INODES = 10_000
_MOST_OF_QUOTA = 0.9
"""Where warnings begin. A run's own files are small, but what its tasks write to their directories may not be."""
_GIB_KIB = 1024.0**2


@dataclass(frozen=True, slots=True)
class Room:
    """What the three commands printed; empty where there is no such command."""

    space: str
    inodes: str = ""
    quota: str = ""

    def notes(self) -> Iterator[str]:
        """What is free, and what is used of quotas."""
        if (free := self._free_gib) is not None:
            inodes = "" if self._free_inodes is None else f", {self._free_inodes} inodes"
            yield f"{free:.1f} GiB{inodes} free there"
        for what, used, limit in self._quotas():
            yield f"quota: {_amount(used, what)} of {_amount(limit, what)}"

    def warnings(self) -> Iterator[str]:
        """What is nearly used up."""
        if (free := self._free_gib) is not None and free < _LEAST_GIB:
            yield f"work_dir has {free:.2f} GiB left"
        if (inodes := self._free_inodes) is not None and inodes < _LEAST_INODES:
            yield f"work_dir has {inodes} inodes left, and each task takes about ten"
        for what, used, limit in self._quotas():
            if used >= _MOST_OF_QUOTA * limit:
                yield f"work_dir: {_amount(used, what)} of a quota of {_amount(limit, what)} are used"

    @property
    def _free_gib(self) -> float | None:
        line = _LINE.search(self.space)
        return None if line is None else int(line[4]) / _GIB_KIB

    @property
    def _free_inodes(self) -> int | None:
        """None where the file system does not count them: they are made as needed, and the total is 0."""
        line = _LINE.search(self.inodes)
        return None if line is None or int(line[2]) == 0 else int(line[4])

    def _quotas(self) -> Iterator[tuple[str, int, int]]:
        """(what is counted, used, limit) for the file system of `space`; KiB or files."""
        line = _LINE.search(self.space)
        for row in self.quota.splitlines():
            name, *numbers = row.replace("*", "").split() or [""]
            if line is None or name != line[1] or len(numbers) != 8 or not all(number.isdigit() for number in numbers):
                continue
            blocks, soft, hard, _, files, soft_files, hard_files, _ = (int(number) for number in numbers)
            if soft or hard:
                yield "KiB", blocks, soft or hard
            if soft_files or hard_files:
                yield "files", files, soft_files or hard_files


def full(said: str) -> str | None:
    """What there is no more of, if that is what somebody's error says."""
    match = _FULL.search(said)
    return match[0].lower() if match else None


def no_room(said: str, *, name: str, work_dir: str, running: int = 0) -> str | None:
    """What to tell a person when `said` means that `work_dir` is full; None if it means something else.

    `running`: jobs that will want to write an exit record there.
    """
    lack = full(said)
    if lack is None:
        return None
    told = f"{name}: {work_dir}: {lack}. Set work_dir to scratch or run 'crankshaft clean'"
    jobs = "job" if running == 1 else "jobs"
    return f"{told}. {running} running {jobs} may lose their exit record." if running else f"{told}."


def _amount(number: int, what: str) -> str:
    return f"{number / _GIB_KIB:.1f} GiB" if what == "KiB" else f"{number} {what}"
