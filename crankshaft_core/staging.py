"""Inputs and outputs by URL, through fsspec. Blocking: the engine calls it in threads of its own."""

from __future__ import annotations

import posixpath
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from crankshaft_core.errors import StagingError
from crankshaft_core.task import Input, Output

__all__ = ["Reach", "StagedInput", "stage_in", "stage_out"]


@dataclass(frozen=True, slots=True)
class Reach:
    """What staging may count on."""

    local_paths: bool = False
    """The worker sees this machine's files under the same paths."""
    transfers: bool = False
    """`submit` brings staged files to the worker, and `collect` fetches outputs from it."""
    inline_bytes: int = 0
    """The largest content that may travel inside the submit when `transfers` is False."""
    schemes: frozenset[str] = frozenset()
    """URL schemes that the worker reads and writes by itself."""


@dataclass(frozen=True, slots=True)
class StagedInput:
    """An input, and what the engine made of its source: exactly one of the three is given.

    `file` is on this machine; `content` is small enough to travel inside the submit; `url` is one the worker
    fetches by itself (its scheme is in the backend's `reach.schemes`).
    """

    input: Input
    file: Path | None = None
    content: bytes | None = None
    url: str | None = None


def stage_in(inputs: Sequence[Input], reach: Reach, scratch: Path) -> tuple[StagedInput, ...]:
    """Bring each input as near as the backend needs it: as content, as a URL the worker reads, or as a file here.

    Raises StagingError for one that cannot be had, or that cannot reach the worker.
    """
    return tuple(_staged(item, number, reach, scratch) for number, item in enumerate(inputs))


def stage_out(outputs: Sequence[Output], collected: Mapping[str, Path | None]) -> dict[str, str]:
    """Copy what was collected to the outputs' URLs. Returns where each output is: its URL, or a path here."""
    places: dict[str, str] = {}
    for output in outputs:
        source = collected.get(output.path)
        if output.url is not None and source is not None:
            _upload(output, source)
        places[output.path] = output.url or str(source or output.path)
    return places


def _staged(item: Input, number: int, reach: Reach, scratch: Path) -> StagedInput:
    if item.content is not None:
        content = item.content.encode() if isinstance(item.content, str) else item.content
        if not reach.transfers and not reach.local_paths and len(content) > reach.inline_bytes:
            raise StagingError(
                f"input {item.path!r}: {len(content)} bytes of content; this backend takes {reach.inline_bytes} "
                "within a task, and has no storage configured to bring more"
            )
        return StagedInput(item, content=content)
    url = str(item.url)
    if urlsplit(url).scheme in reach.schemes:
        return StagedInput(item, url=url)
    if not reach.transfers and not reach.local_paths:
        known = ", ".join(sorted(reach.schemes)) or "none"
        raise StagingError(
            f"input {item.path!r}: {url} cannot reach the worker, which reads {known}. Configure `storage`"
        )
    return StagedInput(item, file=_download(item, url, scratch / f"input-{number}"))


def _download(item: Input, url: str, place: Path) -> Path:
    local = _local_path(url)
    if local is not None:
        if not local.exists():
            raise StagingError(f"input {item.path!r}: {local}: no such file or directory")
        return local
    try:
        filesystem, remote = _filesystem(url)
        target = place / (posixpath.basename(remote.rstrip("/")) or "input")
        place.mkdir(parents=True, exist_ok=True)
        if item.type == "DIRECTORY":
            filesystem.get(remote.rstrip("/") + "/", f"{target}/", recursive=True)
        else:
            filesystem.get_file(remote, str(target))
    except Exception as error:  # fsspec's file systems raise whatever their SDKs raise
        raise StagingError(f"input {item.path!r}: {url}: {_words(error)}") from error
    return target


def _upload(output: Output, source: Path) -> None:
    url = str(output.url)
    matches = _matches(output, source)
    try:
        local = _local_path(url)
        for file, name in matches:
            target = url if name is None else posixpath.join(url, name)
            if local is None:
                _put(file, target)
            else:
                _copy(file, local if name is None else local / name)
    except Exception as error:  # likewise
        raise StagingError(f"output {output.path!r}: {url}: {_words(error)}") from error


def _matches(output: Output, source: Path) -> list[tuple[Path, str | None]]:
    """What to copy, and its name under the URL; with wildcards `source` is the directory the matches are in."""
    if not any(sign in output.path for sign in "*?["):
        return [(source, None)]
    return [(file, file.name) for file in sorted(source.glob(posixpath.basename(output.path)))]


def _put(file: Path, url: str) -> None:
    filesystem, remote = _filesystem(url)
    filesystem.makedirs(posixpath.dirname(remote), exist_ok=True)
    if file.is_dir():
        filesystem.put(f"{file}/", remote.rstrip("/") + "/", recursive=True)
    else:
        filesystem.put_file(str(file), remote)


def _filesystem(url: str) -> tuple[Any, str]:
    """fsspec's file system for the URL, and the path on it. Imported here, since most runs stage nothing."""
    from importlib import import_module

    core: Any = import_module("fsspec.core")  # it has no types
    filesystem, path = core.url_to_fs(url)
    return filesystem, str(path)


def _copy(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if file.is_dir():
        shutil.copytree(file, target, dirs_exist_ok=True)
    elif not (target.exists() and target.samefile(file)):
        shutil.copy2(file, target)


def _local_path(url: str) -> Path | None:
    """The path of a `file://` URL or of a plain absolute path."""
    if url.startswith("/"):
        return Path(url)
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Path(unquote(parts.path))
    return None


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
