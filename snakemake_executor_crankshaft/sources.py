"""The workflow's sources as one file that travels with every task, and is unpacked where the job runs."""

from __future__ import annotations

import base64
import io
import shlex
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from crankshaft_core.errors import ConfigError
from crankshaft_core.task import Input

__all__ = ["UNPACK", "fit_inline", "packed_sources", "sources_input"]

_NAME = ".crankshaft-sources"
_INLINE_BYTES = 128 * 1024
"""What a TES server takes within a task, at least (both documents)."""
_LARGEST = 10_000_000
"""Bytes of a file that passes for a source, as for Snakemake's own archive."""

_SCRIPT = f"""\
import base64, io, os, tarfile
packed = io.BytesIO(base64.b64decode(open("{_NAME}", "rb").read()))
with tarfile.open(fileobj=packed) as archive:
    archive.extractall(members=[member for member in archive if not os.path.lexists(member.name)])
"""
"""An input that is also a source is there already, and may be the user's own."""

UNPACK = f"python -W ignore -c {shlex.quote(_SCRIPT)}"
"""Shell text. Jobs run an inner Snakemake, so there is a Python; an image need not have tar."""


def packed_sources(workflow: Any, *, say: Callable[[str], object]) -> bytes:
    """What Snakemake takes for sources of `workflow`, as text: Snakefiles, scripts and what is beside them,
    configuration files, environments, and all that git knows.

    Raises ConfigError for what is outside of the working directory, where it would be somewhere else for the job.
    """
    files = sorted(_sources(workflow))
    outside = [file for file in files if file.startswith("..")]
    if outside:
        raise ConfigError(
            f"{', '.join(outside)}: outside of the working directory {Path.cwd()}. Without a shared file system a "
            "workflow's sources and configuration files must be in it: start Snakemake from a directory above them"
        )
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for file in _fit(files, say):
            tar.add(file, filter=_of_nobody)
    return base64.b64encode(archive.getvalue())


def fit_inline(sources: bytes) -> bool:
    """They may travel within a task's own text."""
    return len(sources) <= _INLINE_BYTES


def sources_input(sources: bytes) -> Input:
    """What brings them."""
    return Input(path=_NAME, content=sources)


def _sources(workflow: Any) -> set[str]:
    try:
        return {str(file) for file in workflow.dag.get_sources()}
    except FileNotFoundError as error:
        raise ConfigError(f"Snakemake asks git for a workflow's sources, and cannot run it: {error}") from error


def _fit(files: Iterable[str], say: Callable[[str], object]) -> Iterable[str]:
    for file in files:
        path = Path(file)
        if not path.exists():
            continue  # git knows files that were deleted
        if path.is_file() and path.stat().st_size > _LARGEST:
            say(f"{file}: more than {_LARGEST // 10**6} MB, not sent with the workflow's sources")
            continue
        yield file


def _of_nobody(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info
