"""The directory of a run on this machine, read and written directly."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Literal

from crankshaft_core.backends.base import Outcome
from crankshaft_core.backends.generic.endings import NOTHING_KNOWN, Surroundings, explained
from crankshaft_core.backends.generic.files import place, read_from, tail, write_new, write_private
from crankshaft_core.backends.generic.jobscript import Job, read_header
from crankshaft_core.backends.generic.layout import RunPaths
from crankshaft_core.backends.generic.own_places import NOWHERE_ELSE, OwnPlaces
from crankshaft_core.backends.generic.records import Record

__all__ = ["Header", "LocalRun", "wrapper_text"]

_OURS = ("job", "env", "start", "wrapper.log")
"""What a successful task's directory holds for our own use, besides cmd.<n>."""


@dataclass(frozen=True, slots=True)
class Header:
    """Where the files of an attempt are, as its `job` says."""

    cwd: str
    stdout: Sequence[str]
    stderr: Sequence[str]
    around: Surroundings = NOTHING_KNOWN
    own: OwnPlaces = NOWHERE_ELSE

    @classmethod
    def read(cls, script: str) -> Header | None:
        """None for a text that is no job of ours."""
        facts = read_header(script)
        if not facts:
            return None
        return cls(
            str(facts["cwd"]),
            _texts(facts["stdout"]),
            _texts(facts["stderr"]),
            Surroundings.read(facts),
            _own(facts.get("own")),
        )

    @classmethod
    def of(cls, job: Job) -> Header:
        """That of a job that was written just now."""
        return cls(job.steps[0].cwd, [s.stdout for s in job.steps], [s.stderr for s in job.steps], job.around, job.own)

    def last(self, ran: int) -> tuple[str, str]:
        """The streams of the last of `ran` executions."""
        number = max(0, min(ran, len(self.stdout)) - 1)
        return self.stdout[number], self.stderr[number]

    def stream(self, name: Literal["stdout", "stderr"]) -> list[str]:
        """The files of one stream, in the order in which they are written."""
        return list(dict.fromkeys(self.stdout if name == "stdout" else self.stderr))


class LocalRun:
    """The directory of one run. Made when first written to."""

    def __init__(self, paths: RunPaths, *, setup: str = "", prologue: str = "") -> None:
        self.paths = paths
        self._texts = {"wrapper": wrapper_text(), "setup": setup.encode(), "prologue": prologue.encode()}
        self._made = False
        self._headers: dict[str, Header] = {}

    def write(self, job: Job) -> None:
        """Make the attempt's directory, its files and its inputs. Raises OSError, SubmitError or StagingError."""
        contents = job.files()
        self._make()
        own, *working = job.directories()
        fresh = _make_directory(own)
        for directory in working:
            os.makedirs(directory, mode=0o700, exist_ok=True)  # noqa: PTH103 (once a task, and five times as fast)
        for staged in job.attempt.inputs:
            place(staged, Path(job.steps[0].cwd), scratch=job.attempt.scratch)
        for path, content in contents.items():
            if fresh:
                write_new(path, content)
            else:  # an earlier submit of the attempt may be reading them
                write_private(Path(path), content)
        self._headers[job.attempt.id] = Header.of(job)

    def claim(self, attempt: str, owner: str) -> str:
        """Take the start lock for `owner`, so that nobody else can. Returns whose it is."""
        lock = Path(self.paths.task(attempt).lock)
        self._make()
        lock.parent.mkdir(mode=0o700, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            lock.symlink_to(owner)
        return self.owner(attempt) or ""

    def owner(self, attempt: str) -> str | None:
        """Who has taken the start lock; None if nobody has, or somebody this very instant.

        A link where `claim` took it, a file where the wrapper did: bash can make that without starting `ln`.
        """
        lock = self.paths.task(attempt).lock
        try:
            with open(lock, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 (looked at with every poll)
                return file.read().strip() or None
        except OSError:
            with contextlib.suppress(OSError):
                return os.readlink(lock)  # noqa: PTH115 (as above)
        return None

    def record(self, attempt: str) -> Record | None:
        """The attempt's exit record; None if there is none."""
        for directory in (self.paths.done, self.paths.seen):
            try:
                with open(f"{directory}/{attempt}", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 (as above)
                    text = file.read()
            except OSError:
                continue
            return Record.parse(text) if text.endswith("\n") else None  # still being written
        return None

    def ended(self, attempt: str) -> bool:
        """There is an exit record."""
        return self.record(attempt) is not None

    def with_streams(self, attempt: str, outcome: Outcome) -> Outcome:
        """The outcome with the place and the end of the streams of the execution that ran last, and what they tell."""
        header = self.header(attempt)
        if header is None:
            return outcome
        stdout, stderr = header.last(len(outcome.exit_codes))
        found = replace(outcome, stdout=stdout, stderr=stderr, stdout_tail=tail(stdout), stderr_tail=tail(stderr))
        return explained(found, header.around)

    def header(self, attempt: str) -> Header | None:
        """Where the attempt's files are; None if it left no directory."""
        known = self._headers.get(attempt)
        if known is not None:
            return known
        try:
            script = Path(self.paths.task(attempt).job).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        header = Header.read(script)
        if header is not None:
            self._headers[attempt] = header
        return header

    def read(self, attempt: str, stream: Literal["stdout", "stderr"], offset: int) -> bytes:
        """What a stream holds from `offset` on, at most 1 MiB."""
        header = self.header(attempt)
        return b"" if header is None else read_from(header.stream(stream), offset)

    def log(self, attempt: str) -> str:
        """What the wrapper had to say."""
        return tail(self.paths.task(attempt).log).strip()

    def acknowledge(self, attempt: str) -> None:
        """The journal holds this record."""
        with contextlib.suppress(OSError):
            os.replace(f"{self.paths.done}/{attempt}", f"{self.paths.seen}/{attempt}")  # noqa: PTH105 (as above)
        self._headers.pop(attempt, None)

    def prune(self, attempt: str) -> None:
        """Drop what was ours of a successful attempt, and all of it where nothing of the user's is left."""
        directory = Path(self.paths.task(attempt).dir)
        for path in (*(directory / name for name in _OURS), *directory.glob("cmd.*")):
            path.unlink(missing_ok=True)
        for path in directory.glob("own.*"):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        for path in (directory / "stdout", directory / "stderr"):
            with contextlib.suppress(OSError):
                if path.stat().st_size == 0:
                    path.unlink()
        for path in (directory / "work", directory):
            with contextlib.suppress(OSError):
                path.rmdir()

    def remove_if_empty(self) -> None:
        """Drop the run's directory if no attempt has left anything in it."""
        with contextlib.suppress(OSError):
            Path(self.paths.tasks).rmdir()
            shutil.rmtree(self.paths.root, ignore_errors=True)

    def _make(self) -> None:
        if self._made:
            return
        work_dir = Path(self.paths.root).parent
        if not work_dir.exists():
            work_dir.mkdir(mode=0o700, parents=True)
            work_dir.joinpath(".gitignore").write_text("*\n", encoding="utf-8")
        for directory in (self.paths.root, self.paths.done, self.paths.seen, self.paths.tasks):
            Path(directory).mkdir(mode=0o700, exist_ok=True)
        for name, content in self._texts.items():
            if content:
                write_private(Path(self.paths.root, name), content)
        self._made = True


def _make_directory(path: str) -> bool:
    """Make a private directory; False if it was there."""
    try:
        os.mkdir(path, 0o700)  # noqa: PTH102 (as above)
    except FileExistsError:
        return False
    return True


def wrapper_text() -> bytes:
    """The wrapper that every job reads."""
    return files("crankshaft_core.backends.generic").joinpath("wrapper.bash").read_bytes()


def _texts(value: object) -> Sequence[str]:
    return [str(item) for item in value] if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType] from JSON


def _own(value: object) -> OwnPlaces:
    if not isinstance(value, dict):
        return NOWHERE_ELSE
    return OwnPlaces({str(path): str(place) for path, place in value.items()})  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType] from JSON
