"""What executions wrote to stdout and stderr: whole, in files, when they have ended."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from crankshaft_core.backends.docker.client import DockerClient
from crankshaft_core.backends.docker.directory import TaskDirectory
from crankshaft_core.backends.docker.fetch import fetch
from crankshaft_core.backends.docker.frames import Mender
from crankshaft_core.backends.docker.labels import STDERR, STDOUT
from crankshaft_core.backends.docker.ran import Ran

__all__ = ["STREAMS", "last_words", "logs_path", "save_streams", "tail"]

STREAMS: Mapping[str, tuple[int, str]] = {"stdout": (1, STDOUT), "stderr": (2, STDERR)}
"""Each with its number in the log, and the label that names the file it went to instead."""
_TAIL_BYTES = 4096
_LAST_LINES = "50"


async def save_streams(
    client: DockerClient, executions: Sequence[Ran], directory: TaskDirectory, *, binds: bool
) -> None:
    """Write `stdout` and `stderr` of all executions, one after the other. Each appears whole or not at all.

    Raises OSError when they cannot be written, StagingError and TransportError when they cannot be had.
    """
    directory.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    parts = {name: directory.path / f"{name}.part" for name in STREAMS}
    with ExitStack() as stack:
        files = {name: stack.enter_context(part.open("wb")) for name, part in parts.items()}
        for ran in executions:
            await _save_logged(client, ran, files)
            for name, file in files.items():
                await _save_redirected(client, ran, name, file, directory, binds=binds)
    for name, part in parts.items():
        part.replace(directory.stream(name))
        directory.live(name).unlink(missing_ok=True)


def logs_path(ran: Ran) -> str | None:
    """Where the engine gives out what the execution logged; None if nothing ever ran."""
    if ran.container is not None:
        return f"/containers/{ran.container}/logs"
    return None if ran.task is None else f"/tasks/{ran.task}/logs"


def tail(path: Path) -> str:
    """The last 4 KiB."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        return file.read().decode(errors="replace")


async def last_words(client: DockerClient, ran: Ran) -> tuple[str, str]:
    """The end of an execution's stdout and of its stderr, where they cannot be saved. Raises TransportError."""
    said = {1: b"", 2: b""}

    def keep(stream: int, piece: bytes) -> None:
        said[stream] = (said[stream] + piece)[-_TAIL_BYTES:]

    path = logs_path(ran)
    if path is not None:
        await client.logs(path, {"stdout": 1, "stderr": 1, "tail": _LAST_LINES}, keep)
    return said[1].decode(errors="replace"), said[2].decode(errors="replace")


async def _save_logged(client: DockerClient, ran: Ran, files: Mapping[str, IO[bytes]]) -> None:
    wanted = {number: files[name] for name, (number, label) in STREAMS.items() if label not in ran.labels}
    path = logs_path(ran)
    if not wanted or path is None:
        return

    menders = {number: Mender() for number in wanted}

    def sink(stream: int, piece: bytes) -> None:
        if stream in wanted:
            wanted[stream].write(menders[stream].mend(piece) if ran.drops_newlines else piece)

    await client.logs(path, {"stdout": int(1 in wanted), "stderr": int(2 in wanted)}, sink)


async def _save_redirected(
    client: DockerClient, ran: Ran, name: str, file: IO[bytes], directory: TaskDirectory, *, binds: bool
) -> None:
    """What an execution wrote to a file in its container. One that never came so far left none."""
    path = ran.labels.get(STREAMS[name][1])
    copy = directory.fetched / f".{name}"
    if path is None or not await fetch(client, ran, path, copy, binds=binds):
        return

    def append() -> None:
        with copy.open("rb") as source:
            shutil.copyfileobj(source, file)
        copy.unlink()

    await client.work(append)
