"""Finding what a task has left, by the paths and wildcards of its outputs."""

from __future__ import annotations

import glob
import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path

from crankshaft_core.errors import StagingError
from crankshaft_core.task import Output

__all__ = ["fixed_part", "found_here", "has_wildcards"]


def found_here(outputs: Sequence[Output], cwd: str, *, who: str) -> Mapping[str, Path]:
    """Where each output is on this machine. Raises StagingError naming every one that is not there."""
    places = {output.path: Path(cwd, fixed_part(output.path)) for output in outputs}
    missing = [output.path for output in outputs if not _is_there(output.path, cwd)]
    if missing:
        raise StagingError(f"{who} did not leave {', '.join(missing)} (in {cwd})")
    return places


def has_wildcards(path: str) -> bool:
    """It names several files."""
    return glob.has_magic(path)


def fixed_part(path: str) -> str:
    """The path, or the directory below which its wildcards begin."""
    if not has_wildcards(path):
        return path
    parts = path.split("/")
    first = next(number for number, part in enumerate(parts) if has_wildcards(part))
    return "/".join(parts[:first]) or ("/" if posixpath.isabs(path) else ".")


def _is_there(path: str, cwd: str) -> bool:
    if not has_wildcards(path):
        return Path(cwd, path).exists()
    return bool(glob.glob(path, root_dir=cwd))  # noqa: PTH207 (Path.glob takes no absolute pattern)
