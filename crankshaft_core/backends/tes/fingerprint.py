"""What names a content: SHA-256, remembered for files that have not changed since."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

__all__ = ["Fingerprints", "content_hash"]


def content_hash(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


class Fingerprints:
    """Hashes of files and directories. A reference genome that a thousand tasks share is read once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int, int], str] = {}

    def of(self, path: Path) -> str:
        """The hash of a file's content, or of a directory's names and contents. Raises OSError."""
        if not path.is_dir():
            return self._of_file(path)
        tree = hashlib.sha256()
        for file in files_in(path):
            tree.update(
                f"{file.relative_to(path).as_posix()}\0{self._of_file(file)}\n".encode("utf-8", "surrogateescape")
            )
        return tree.hexdigest()

    def _of_file(self, path: Path) -> str:
        status = path.stat()
        key = (os.path.realpath(path), status.st_size, status.st_mtime_ns, status.st_ino)
        if key not in self._known:
            with path.open("rb") as stream:
                self._known[key] = hashlib.file_digest(stream, "sha256").hexdigest()
        return self._known[key]


def files_in(directory: Path) -> list[Path]:
    """Every file below, in a fixed order."""
    return sorted(path for path in directory.rglob("*") if path.is_file())
