"""Small pieces of file work on this machine: private files, tails, and placing inputs."""

from __future__ import annotations

import filecmp
import os
import shutil
from pathlib import Path

from crankshaft_core.backends.base import StagedInput
from crankshaft_core.errors import StagingError

__all__ = ["TAIL", "place", "read_from", "tail", "text_tail", "write_new", "write_private"]

TAIL = 4096
"""Bytes of a stream's end that go into a result."""

_CHUNK = 1024 * 1024


def write_private(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a file that appears whole or not at all, and never with a wider mode than it is to have."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    write_new(str(temporary), content, mode=mode)
    temporary.replace(path)


def write_new(path: str, content: bytes, *, mode: int = 0o600) -> None:
    """Write a file that nobody can be reading yet."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)


def tail(path: str) -> str:
    """The last TAIL bytes of a file as text; empty when there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        size = os.fstat(descriptor).st_size
        return text_tail(os.pread(descriptor, TAIL, max(0, size - TAIL))) if size else ""
    except OSError:
        return ""
    finally:
        os.close(descriptor)


def text_tail(data: bytes) -> str:
    """The end of a stream as text; half a character at its beginning is left out."""
    start = 0
    while start < min(3, len(data)) and data[start] & 0xC0 == 0x80:
        start += 1
    return data[start:].decode("utf-8", "replace")


def read_from(paths: list[str], offset: int) -> bytes:
    """At most 1 MiB from byte `offset` on of files read as one, in order. Files that are not there yet are empty."""
    for path in paths:
        try:
            with Path(path).open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                if offset < size:
                    file.seek(offset)
                    return file.read(_CHUNK)
        except OSError:
            continue
        offset -= size
    return b""


def place(staged: StagedInput, cwd: Path, *, scratch: Path | None) -> None:
    """Bring an input to its path under `cwd`. What is in `scratch` will go, so no link may point there.

    Raises StagingError where something else is there already.
    """
    target = cwd / staged.input.path
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() or target.is_symlink():
        if not _is_placed(staged, target):
            raise StagingError(f"input {staged.input.path!r} would overwrite {target}, which is something else")
    elif staged.file is None:
        write_private(target, staged.content or b"", mode=0o644)
    elif staged.input.read_only and not (scratch and staged.file.is_relative_to(scratch)):
        target.symlink_to(staged.file.absolute())
    else:
        _copy(staged.file, target)


def _copy(source: Path, target: Path) -> None:
    """A copy that appears whole or not at all."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    if source.is_dir():
        shutil.copytree(source, temporary, symlinks=True)
    else:
        shutil.copy2(source, temporary)
    temporary.rename(target)


def _is_placed(staged: StagedInput, target: Path) -> bool:
    """What an earlier submit of the same attempt has left, or the very file that the input names."""
    if staged.file is None:
        return target.is_file() and target.read_bytes() == (staged.content or b"")
    if not target.exists():
        return False
    if target.samefile(staged.file):
        return True
    if staged.file.is_dir():
        return not staged.input.read_only and target.is_dir()
    return not staged.input.read_only and filecmp.cmp(staged.file, target, shallow=False)
