"""What a running attempt has written so far, piece by piece, without asking for any of it twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from crankshaft_core.backends.docker.client import DockerClient
from crankshaft_core.backends.docker.directory import TaskDirectory
from crankshaft_core.backends.docker.fetch import local_path
from crankshaft_core.backends.docker.frames import Mender
from crankshaft_core.backends.docker.ran import Ran, nanoseconds
from crankshaft_core.backends.docker.streams import STREAMS, logs_path

__all__ = ["Follower", "read_piece"]

_PIECE = 1024 * 1024


@dataclass
class Follower:
    """How far one stream of an attempt has been copied to its `live` file.

    The log can only be asked for what is not older than a time, so the last time is kept, and how many entries of that
    very time were seen.
    """

    execution: int = 0
    last: int = 0
    """Nanoseconds since the epoch."""
    repeats: int = 0
    mender: Mender = field(default_factory=Mender)
    position: int = 0
    """In the file that the execution writes to instead of its log."""

    async def catch_up(
        self, client: DockerClient, ran: Ran, stream: str, directory: TaskDirectory, *, binds: bool
    ) -> None:
        """Append what is new of the execution `ran`, which is number `self.execution`."""
        number, label = STREAMS[stream]
        path = logs_path(ran)
        with directory.live(stream).open("ab") as live:
            if label in ran.labels:
                source = await client.work(lambda: local_path(ran, ran.labels[label])) if binds else None
                if source is not None:
                    await client.work(lambda: self._append_file(source, live.write))
            elif path is not None:
                params = {stream: 1, "timestamps": 1, "since": _since(self.last)}
                mend = self.mender.mend if ran.drops_newlines else bytes
                await client.logs(path, params, self._sink(number, lambda text: live.write(mend(text))))
        if ran.ended and ran.code == 0:
            self.execution, self.last, self.repeats, self.position = self.execution + 1, 0, 0, 0
            self.mender = Mender()

    def _sink(self, number: int, write: Callable[[bytes], object]) -> Callable[[int, bytes], None]:
        to_skip, last = self.repeats, self.last

        def take(stream: int, entry: bytes) -> None:
            nonlocal to_skip
            stamp, _, text = entry.partition(b" ")
            time = nanoseconds(stamp.decode(errors="replace"))
            if stream != number or time < last:
                return
            if time == last and to_skip:
                to_skip -= 1
                return
            self.last, self.repeats = time, self.repeats + 1 if time == self.last else 1
            write(text)

        return take

    def _append_file(self, source: Path, write: Callable[[bytes], object]) -> None:
        with source.open("rb") as file:
            file.seek(self.position)
            while piece := file.read(_PIECE):
                write(piece)
                self.position += len(piece)


def read_piece(path: Path, offset: int) -> bytes:
    """At most 1 MiB of a file from `offset` on; empty for one that is not there yet."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(_PIECE)
    except FileNotFoundError:
        return b""


def _since(time: int) -> str:
    """Nanoseconds as the API wants them: seconds with nine digits after the point."""
    return f"{time // 10**9}.{time % 10**9:09d}"
