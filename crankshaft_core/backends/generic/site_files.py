"""The files of attempts at another place, read and written by scripts."""

from __future__ import annotations

import posixpath
import re
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from crankshaft_core.backends.base import Attempt, Outcome
from crankshaft_core.backends.generic.endings import explained
from crankshaft_core.backends.generic.files import TAIL, place, text_tail
from crankshaft_core.backends.generic.frames import Script
from crankshaft_core.backends.generic.gather import Gather
from crankshaft_core.backends.generic.jobscript import Job
from crankshaft_core.backends.generic.local_runs import Header
from crankshaft_core.backends.generic.outputs import found_here, has_wildcards
from crankshaft_core.backends.generic.site import Site
from crankshaft_core.errors import StagingError
from crankshaft_core.task import Output

__all__ = ["SiteFiles"]


@dataclass(frozen=True, slots=True)
class _Tails:
    stdout: str
    stderr: str


class SiteFiles:
    """Inputs, outputs and streams of the attempts of one run."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._headers: dict[str, Header] = {}
        self._tails = Gather(self._read_tails, most=100)

    def remember(self, job: Job) -> None:
        """Where this attempt's files are, so that nobody need ask."""
        self._headers[job.attempt.id] = Header.of(job)

    def forget(self, attempt: str) -> None:
        """Nobody will ask for it again."""
        self._headers.pop(attempt, None)

    async def bring(self, attempt: Attempt, cwd: str) -> None:
        """Put the inputs at their paths. Raises StagingError, and what `Driver.put` raises."""
        if not attempt.inputs:
            return
        if self._site.driver.local:
            await self._site.in_thread(lambda: _place_all(attempt, cwd))
            return
        with tempfile.TemporaryDirectory(prefix="crankshaft-") as scratch:
            files: dict[Path, str] = {}
            for number, staged in enumerate(attempt.inputs):
                source = staged.file or Path(scratch, str(number))
                if staged.file is None:
                    source.write_bytes(staged.content or b"")
                files[source] = posixpath.join(cwd, staged.input.path)
            try:
                await self._site.driver.put(files)
            except OSError as error:
                raise StagingError(f"{attempt.task.name}: {error}") from error

    async def with_streams(self, attempt: str, outcome: Outcome) -> Outcome:
        """The outcome with the place and the end of the streams of the execution that ran last, and what they tell."""
        header = await self._header(attempt)
        if header is None:
            return outcome
        stdout, stderr = header.last(len(outcome.exit_codes))
        tails = await self._tails((attempt, stdout, stderr))
        found = replace(outcome, stdout=stdout, stderr=stderr, stdout_tail=tails.stdout, stderr_tail=tails.stderr)
        return explained(found, header.around)

    async def read(self, attempt: str, stream: Literal["stdout", "stderr"], offset: int) -> bytes:
        """What a stream holds from `offset` on, at most 1 MiB."""
        header = await self._header(attempt)
        if header is None:
            return b""
        script = Script()
        script.add(_READ)
        script.add(f"ck_piece content; ck_read {offset} {shlex.join(header.stream(stream))}")
        return (await self._site.call(script)).get("content", b"")

    async def collect(self, attempt: str, outputs: Sequence[Output], scratch: Path) -> Mapping[str, Path]:
        """Outputs as files of this machine. Raises StagingError naming every one that is not there."""
        header = await self._header(attempt)
        if header is None:
            raise StagingError(f"{self._site.name}: {attempt} has left no directory")
        moved = header.own.moved(outputs)
        found = await self._collected(attempt, list(moved.values()), header.cwd, scratch)
        return {path: found[output.path] for path, output in moved.items()}

    async def _collected(self, attempt: str, outputs: Sequence[Output], cwd: str, scratch: Path) -> Mapping[str, Path]:
        if self._site.driver.local:
            return found_here(outputs, cwd, who=attempt)
        matches = await self._matches(cwd, outputs)
        missing = [output.path for output in outputs if not matches[output.path]]
        if missing:
            raise StagingError(f"{attempt} did not leave {', '.join(missing)} (in {cwd})")
        places: dict[str, Path] = {}
        files: dict[str, Path] = {}
        for number, output in enumerate(outputs):
            target = scratch / f"output-{number}"
            for found in matches[output.path]:
                files[posixpath.join(cwd, found)] = target / posixpath.basename(found)
            places[output.path] = target if has_wildcards(output.path) else target / posixpath.basename(output.path)
        try:
            await self._site.driver.get(files)
        except OSError as error:
            raise StagingError(f"{attempt}: {error}") from error
        return places

    async def _matches(self, cwd: str, outputs: Sequence[Output]) -> Mapping[str, Sequence[str]]:
        """Each output's path, or what its wildcards stand for there."""
        script = Script()
        script.add(_MATCHES)
        script.add(f"cd {shlex.quote(cwd)} || exit")
        for number, output in enumerate(outputs):
            script.add(f"ck_piece {number}; ck_matches {_pattern(output.path)}")
        pieces = await self._site.call(script)
        found = (pieces.get(str(number), b"").decode("utf-8", "surrogateescape") for number in range(len(outputs)))
        return {
            output.path: [name for name in names.split("\0") if name]
            for output, names in zip(outputs, found, strict=True)
        }

    async def _header(self, attempt: str) -> Header | None:
        if attempt not in self._headers:
            script = Script()
            script.add(f'ck_piece job; [ ! -e tasks/{attempt}/job ] || head -n 2 "tasks/{attempt}/job"')
            text = (await self._site.call(script)).get("job", b"").decode("utf-8", "surrogateescape")
            header = Header.read(text)
            if header is None:
                return None
            self._headers[attempt] = header
        return self._headers[attempt]

    async def _read_tails(self, wanted: Sequence[tuple[str, str, str]]) -> Sequence[_Tails]:
        script = Script()
        for attempt, stdout, stderr in wanted:
            for name, path in (("out", stdout), ("err", stderr)):
                script.add(f"ck_piece '{attempt} {name}'; tail -c {TAIL} -- {shlex.quote(path)} 2>/dev/null")
        pieces = await self._site.call(script)
        texts = ((pieces.get(f"{a} out", b""), pieces.get(f"{a} err", b"")) for a, _, _ in wanted)
        return [_Tails(text_tail(out), text_tail(err)) for out, err in texts]


def _place_all(attempt: Attempt, cwd: str) -> None:
    for staged in attempt.inputs:
        place(staged, Path(cwd), scratch=attempt.scratch)


def _pattern(path: str) -> str:
    """The path as a word of bash, in which only its wildcards have a meaning."""
    parts = re.split(r"([*?]|\[[^]]*\])", path)  # every second one is a wildcard
    return "".join(part if number % 2 else shlex.quote(part) for number, part in enumerate(parts) if part)


_READ = r"""
ck_read() { # offset, files read as one
  local offset=$1 file size
  shift
  for file; do
    [ -f "$file" ] || continue
    size=$(($(wc -c <"$file")))
    if [ "$offset" -lt "$size" ]; then
      tail -c "+$((offset + 1))" -- "$file" | head -c 1048576
      return
    fi
    offset=$((offset - size))
  done
}
""".strip()

_MATCHES = r"""
ck_matches() { # what a pattern was expanded to: itself, if it matches nothing
  local path
  for path; do [ ! -e "$path" ] || printf '%s\0' "$path"; done
}
""".strip()
