"""What jobs say, in files of their own: a directory for each rule, and in it one for each set of wildcards.

A group says it once: its files are in a directory of its own, and every rule in it has links to them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from crankshaft_core.task import TaskResult
from snakemake_executor_crankshaft.interface import Job, Target

__all__ = ["LogFiles", "Logs"]

_LONGEST = 100
"""Characters of a directory's name; file systems take 255 bytes."""
_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class LogFiles:
    """Standard output and standard error of one job in one attempt."""

    stdout: Path
    stderr: Path
    members: tuple[Path, ...] = ()
    """Of a group: the directories in which the jobs in it look for theirs."""

    def keep(self, result: TaskResult) -> None:
        """Bring here what the backend has put elsewhere; of what is not on this machine, the end."""
        for file, place, tail in (
            (self.stdout, result.stdout, result.stdout_tail),
            (self.stderr, result.stderr, result.stderr_tail),
        ):
            if file.exists() and (not place or Path(place) == file):
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            if place and Path(place).is_file():
                shutil.copyfile(place, file)
            else:
                file.write_text(tail)

    def link(self) -> None:
        """Have a group's files be found by each rule in it."""
        for directory in self.members:
            directory.mkdir(parents=True, exist_ok=True)
            for file in (self.stdout, self.stderr):
                (directory / file.name).unlink(missing_ok=True)
                (directory / file.name).symlink_to(os.path.relpath(file, directory))

    def remove(self) -> None:
        """And their directory, if it is empty then; not the rule's, in which another job may be making its own now."""
        for directory in (self.stdout.parent, *self.members):
            for file in (self.stdout, self.stderr):
                (directory / file.name).unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # an earlier attempt has files there, or there is none
                directory.rmdir()


class Logs:
    """The directory of all of them."""

    def __init__(self, directory: Path, *, keep: bool) -> None:
        """`keep`: also those of jobs that came to a good end."""
        self._directory = directory.absolute()
        self._keep = keep

    def of(self, job: Job) -> LogFiles:
        """Where the job's go. Every attempt of Snakemake has its own."""
        rules = "+".join(sorted(set(job.rules)))
        place = self._place(rules, str(job.jobid) if job.is_group() else _wildcards(job.get_target_spec()[0]))
        members = job.get_target_spec() if job.is_group() else ()
        return LogFiles(
            place / f"{job.attempt}.out",
            place / f"{job.attempt}.err",
            tuple(self._place(member.rulename, _wildcards(member)) for member in members),
        )

    def on_a_good_end(self, job: Job) -> None:
        """Snakemake has found all that the job was to make."""
        if self._keep:
            self.of(job).link()
        else:
            self.of(job).remove()

    def prune(self, days: int) -> None:
        """Remove files that nobody wrote to for so many days; 0: none."""
        if not days or not self._directory.is_dir():
            return
        oldest = time.time() - days * _DAY
        for file in self._directory.glob("*/*/*"):
            with contextlib.suppress(FileNotFoundError):  # another Snakemake is at it as well
                if file.lstat().st_mtime < oldest:
                    LogFiles(file, file).remove()

    def _place(self, rules: str, wildcards: str) -> Path:
        return self._directory / _short(rules) / _short(wildcards or "all")


def _wildcards(target: Target) -> str:
    return ",".join(f"{name}={value}" for name, value in target.wildcards_dict.items())


def _short(name: str) -> str:
    """As a directory may be called."""
    plain = name.replace("/", "_").lstrip(".") or "_"
    if plain == name and len(name.encode()) <= _LONGEST:
        return name
    return f"{plain[: _LONGEST // 4]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
