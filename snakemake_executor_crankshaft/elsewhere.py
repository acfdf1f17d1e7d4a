"""Whether a login node sees a directory of this machine."""

from __future__ import annotations

import asyncio
import secrets
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from crankshaft_core.config import GenericConfig
from crankshaft_core.errors import CrankshaftError

__all__ = ["is_elsewhere", "unseen"]

_LOOK = "ls -- {directory} >/dev/null 2>&1; [ -e {file} ] || exit 94"
"""Listing a directory has a network file system read it anew."""
_UNSEEN = 94


def is_elsewhere(backend: GenericConfig) -> bool:
    """Its commands run on another machine."""
    locale = backend.locale
    return locale.kind == "SSH" or (locale.kind == "Auto" and shutil.which(backend.submit.split()[0]) is None)


def unseen(backend: GenericConfig, paths: Sequence[str]) -> str | None:
    """The first of `paths` that the backend's machine does not see, by a file put there for it.

    None if there is none, and also where nobody answers: that is told, and waited for, when jobs are submitted.
    """
    return next((path for path in paths if not _is_seen(backend, Path(path))), None)


def _is_seen(backend: GenericConfig, path: Path) -> bool:
    """Where nothing can be written, it is believed."""
    mark = (path if path.is_dir() else path.parent) / f".crankshaft-{secrets.token_hex(8)}"
    try:
        mark.touch()
    except OSError:
        return True
    try:
        return asyncio.run(_is_there(backend, mark))
    except CrankshaftError:
        return True
    finally:
        mark.unlink(missing_ok=True)


async def _is_there(backend: GenericConfig, file: Path) -> bool:
    from crankshaft_core.drivers.ssh import SSHDriver

    driver = SSHDriver.of(backend.locale, name=backend.name)
    try:
        look = _LOOK.format(directory=shlex.quote(str(file.parent)), file=shlex.quote(str(file)))
        return (await driver.run(look)).status != _UNSEEN
    finally:
        await driver.aclose()
