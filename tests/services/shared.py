"""A directory that the tests and the job user of the services both write to."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["shared_directory"]


@contextmanager
def shared_directory(user: str) -> Iterator[Path]:
    """One of the `user`'s own, outside of pytest's, which nobody else may enter. It goes away at the end.

    Tests that run as root read and write there all the same; else `user` is who runs them.
    """
    path = Path(tempfile.mkdtemp(prefix="crankshaft-test-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(path, user, user)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)  # a job that has just been killed may still write
