"""What the Generic backend needs of a locale: run a script there, and move bulk files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

__all__ = ["Completed", "Driver"]


@dataclass(frozen=True, slots=True)
class Completed:
    """What a script left: its exit status and all of its output, as bytes."""

    status: int
    stdout: bytes
    stderr: bytes


class Driver(Protocol):
    """Runs short scripts at one place, many to a round trip. Nothing waits for a job here.

    Paths are those of the place itself. Every call is bounded by a time-out in seconds. Errors: TransportError when
    the call is known not to have started, AuthenticationError when the place does not let us in, AnswerLostError when
    it was sent and its answer never came.
    """

    @property
    def where(self) -> str:
        """The place, for messages: "this machine", "hpc@login.uni.edu"."""
        ...

    @property
    def local(self) -> bool:
        """The place is this machine: its paths are ours, and processes can be started directly."""
        ...

    async def run(self, script: str, *, stdin: bytes = b"", timeout: float = 60.0) -> Completed:
        """Run `script` with bash, neither login nor interactive, and return all of its output.

        One round trip, however long the script. Its output may be tens of megabytes on either stream.
        """
        ...

    async def put(self, files: Mapping[Path, str], *, timeout: float = 600.0) -> None:
        """Copy files of this machine to paths there, making directories; each appears whole or not at all."""
        ...

    async def get(self, files: Mapping[str, Path], *, timeout: float = 600.0) -> None:
        """Copy files there to paths of this machine, making directories; FileNotFoundError names a missing one."""
        ...

    async def aclose(self) -> None:
        """Let go of the connection."""
        ...
