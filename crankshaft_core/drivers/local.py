"""The driver of this machine: scripts are run by bash, files are copied."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TypeVar

from crankshaft_core.drivers.base import Completed
from crankshaft_core.errors import AnswerLostError, TransportError

__all__ = ["LocalDriver"]

_Answer = TypeVar("_Answer")


class LocalDriver:
    """Runs scripts and copies files here. `cwd` is where scripts begin; None: where this process is."""

    def __init__(self, *, cwd: Path | None = None) -> None:
        self._cwd = cwd
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="crankshaft-local")

    @property
    def where(self) -> str:
        """As `Driver.where`."""
        return "this machine"

    @property
    def local(self) -> bool:
        """As `Driver.local`."""
        return True

    async def run(self, script: str, *, stdin: bytes = b"", timeout: float = 60.0) -> Completed:
        """As `Driver.run`. The script and its children are killed when the time is over."""
        return await self._in_thread(lambda: _run(script, stdin, timeout, self._cwd))

    async def put(self, files: Mapping[Path, str], *, timeout: float = 600.0) -> None:
        """As `Driver.put`; directories with all that is in them."""
        pairs = [(source, Path(target)) for source, target in files.items()]
        await asyncio.wait_for(self._in_thread(lambda: _copy_all(pairs)), timeout)

    async def get(self, files: Mapping[str, Path], *, timeout: float = 600.0) -> None:
        """As `Driver.get`; directories likewise."""
        pairs = [(Path(source), target) for source, target in files.items()]
        await asyncio.wait_for(self._in_thread(lambda: _copy_all(pairs)), timeout)

    async def aclose(self) -> None:
        """As `Driver.aclose`."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, call: Callable[[], _Answer]) -> _Answer:
        """In a thread of our own: a caller that is cancelled does not break the call off half-way."""
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._threads, call))


def _run(script: str, stdin: bytes, timeout: float, cwd: Path | None) -> Completed:
    # Files, not pipes: a background process that keeps its output open must not keep us waiting for its end.
    with ExitStack() as stack:
        text, source, out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(4))
        _fill(text, script.encode("utf-8", "surrogateescape"))
        _fill(source, stdin)
        status = _wait(_bash(text, stdin=source, stdout=out, stderr=err, cwd=cwd), timeout)
        return Completed(status, _content(out), _content(err))


def _bash(
    text: IO[bytes], *, stdin: IO[bytes], stdout: IO[bytes], stderr: IO[bytes], cwd: Path | None
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            ["bash", "--noprofile", "--norc", f"/dev/fd/{text.fileno()}"],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=cwd,
            pass_fds=(text.fileno(),),
            start_new_session=True,
        )
    except OSError as error:
        raise TransportError(f"bash cannot be started on this machine: {error}") from error


def _wait(process: subprocess.Popen[bytes], timeout: float) -> int:
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise AnswerLostError(f"a command on this machine gave no answer within {timeout:g} s") from None


def _fill(file: IO[bytes], content: bytes) -> None:
    file.write(content)
    file.seek(0)


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _copy_all(pairs: list[tuple[Path, Path]]) -> None:
    for source, target in pairs:
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
            continue
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.copy2(source, temporary)
        temporary.replace(target)
