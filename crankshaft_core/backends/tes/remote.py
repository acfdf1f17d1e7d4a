"""Files under one URL, through fsspec. Blocking; the only file of this backend that knows fsspec."""

from __future__ import annotations

import contextlib
import posixpath
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeVar, cast
from urllib.parse import urlsplit

from crankshaft_core.config.secrets import Secret
from crankshaft_core.errors import ConfigError, StagingError

__all__ = ["Remote", "Stored"]

_T = TypeVar("_T")
_TRIES = 3
_CHANGED = ("mtime", "LastModified", "last_modified", "updated")
"""Where file systems keep the time of the last change: local and sftp, s3, azure, google."""
_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "oci"})
_SECRET_SOURCES: tuple[Literal["env", "file", "command"], ...] = ("env", "file", "command")


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that is there. What the storage does not tell is None."""

    size: int
    """Bytes."""
    changed: float | None
    """Seconds since the epoch."""
    owner: int | None
    """The user's number, where the storage is a file system."""


class Remote:
    """Keys below a URL. Every error is a StagingError that names the URL; outages are sat out for a moment."""

    def __init__(self, url: str, options: Mapping[str, object]) -> None:
        self.url = url.rstrip("/")
        self._options = options
        self._opened: tuple[Any, str] | None = None

    def open(self) -> None:
        """Find the driver and look the secrets up; asks nobody. Raises StagingError."""
        self._opening()

    def size(self, key: str) -> int | None:
        """Bytes of the file; None where there is none."""

        def ask(filesystem: Any, path: str) -> int | None:
            filesystem.invalidate_cache()
            try:
                info = filesystem.info(path)
            except FileNotFoundError:
                return None
            return None if info["type"] == "directory" else int(info["size"])

        return self._do(key, ask)

    def put(self, source: Path | bytes, key: str) -> None:
        """Bring a file or some bytes there, and see that they have arrived whole."""

        def send(filesystem: Any, path: str) -> None:
            if not _is_object_store(filesystem):
                filesystem.makedirs(posixpath.dirname(path), exist_ok=True)
            if isinstance(source, bytes):
                filesystem.pipe_file(path, source)
            else:
                filesystem.put_file(str(source), path)

        expected = len(source) if isinstance(source, bytes) else source.stat().st_size
        self._do(key, send)
        if self.size(key) != expected:
            raise StagingError(f"{self.url}/{key}: {self.size(key)} of {expected} bytes have arrived")

    def get(self, key: str, target: Path) -> bool:
        """Fetch a file, and see that it has arrived whole. False if it is not there."""
        expected = self.size(key)
        if expected is None:
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        self._do(key, lambda filesystem, path: filesystem.get_file(path, str(target)))
        if target.stat().st_size != expected:
            raise StagingError(f"{self.url}/{key}: {target.stat().st_size} of {expected} bytes have arrived")
        return True

    def names(self, key: str) -> list[str] | None:
        """The files below, relative to `key`; None if there is nothing of that name."""

        def ask(filesystem: Any, path: str) -> list[str] | None:
            filesystem.invalidate_cache()
            if not filesystem.exists(path):
                return None
            return sorted(posixpath.relpath(str(name), path) for name in cast("list[object]", filesystem.find(path)))

        return self._do(key, ask)

    def children(self, key: str) -> list[str]:
        """The names directly below `key`; none if there is nothing of that name."""

        def ask(filesystem: Any, path: str) -> list[str]:
            filesystem.invalidate_cache()
            try:
                found = cast("list[object]", filesystem.ls(path.rstrip("/"), detail=False))
            except FileNotFoundError:
                return []
            return sorted(posixpath.basename(str(name).rstrip("/")) for name in found)

        return self._do(key, ask)

    def stored(self, key: str) -> list[Stored]:
        """Every file below `key`."""

        def ask(filesystem: Any, path: str) -> list[Stored]:
            filesystem.invalidate_cache()
            found = cast("dict[str, Mapping[str, object]]", filesystem.find(path, detail=True))
            return [_stored(info) for info in found.values()]

        return self._do(key, ask)

    def tail(self, key: str, length: int) -> bytes | None:
        """The last bytes of a file; None if it is not there."""
        size = self.size(key)
        if not size:
            return None if size is None else b""
        return self.read(key, max(0, size - length), size)

    def read(self, key: str, start: int, end: int) -> bytes:
        """Some bytes of a file."""
        return self._do(key, lambda filesystem, path: bytes(filesystem.cat_file(path, start=start, end=end)))

    def remove(self, key: str) -> None:
        """Delete everything below `key`, if there is anything."""

        def delete(filesystem: Any, path: str) -> None:
            filesystem.invalidate_cache()
            with contextlib.suppress(FileNotFoundError):
                filesystem.rm(path, recursive=True)

        self._do(key, delete)

    def _do(self, key: str, action: Callable[[Any, str], _T]) -> _T:
        place = f"{self.url}/{key}"
        for delay in (*(2.0**number for number in range(_TRIES - 1)), None):
            try:
                filesystem, root = self._opening()
                return action(filesystem, f"{root}/{key}")
            except (StagingError, PermissionError, FileNotFoundError) as error:
                raise _as_staging_error(place, error) from error
            except Exception as error:  # file systems raise whatever their SDKs raise, outages among them
                if delay is None:
                    raise _as_staging_error(place, error) from error
                time.sleep(delay)
        raise AssertionError  # the last round returns or raises

    def _opening(self) -> tuple[Any, str]:
        if self._opened is None:
            from fsspec import core  # most runs have no storage

            try:
                options = {name: _revealed(value, f"options.{name}") for name, value in self._options.items()}
                opened = cast("tuple[Any, object]", core.url_to_fs(self.url, **options))  # pyright: ignore[reportUnknownMemberType] untyped
            except (ImportError, ConfigError, ValueError) as error:
                scheme = urlsplit(self.url).scheme
                hint = f". Install the driver for {scheme}: pip install 'crankshaft[storage]'"
                raise StagingError(f"storage {self.url}: {error}{hint * isinstance(error, ImportError)}") from error
            self._opened = (opened[0], str(opened[1]).rstrip("/"))
        return self._opened


def _is_object_store(filesystem: Any) -> bool:
    """It has no directories, and fsspec would make a bucket of the first one that is missing."""
    protocol = filesystem.protocol
    return not _OBJECT_STORES.isdisjoint((protocol,) if isinstance(protocol, str) else protocol)


def _stored(info: Mapping[str, object]) -> Stored:
    """From what fsspec's file systems tell of a file, each in words of its own."""
    changed = next((info[key] for key in _CHANGED if info.get(key) is not None), None)
    owner = info.get("uid")
    return Stored(int(str(info.get("size") or 0)), _seconds(changed), owner if isinstance(owner, int) else None)


def _seconds(moment: object) -> float | None:
    if isinstance(moment, int | float):
        return float(moment)
    if isinstance(moment, str):
        with contextlib.suppress(ValueError):
            moment = datetime.fromisoformat(moment)
    return moment.timestamp() if isinstance(moment, datetime) else None


def _as_staging_error(place: str, error: Exception) -> StagingError:
    if isinstance(error, StagingError):
        return error
    return StagingError(f"{place}: {error or type(error).__name__}")


def _revealed(option: object, key: str) -> object:
    """Options with the secrets in them, which are written as `{ env = … }` and the like."""
    if isinstance(option, Secret):
        return _secret(option, key)
    if not isinstance(option, Mapping):
        return option
    table = dict(_pairs(option))  # pyright: ignore[reportUnknownArgumentType] any table
    for source in _SECRET_SOURCES:
        if set(table) == {source} and isinstance(table[source], str):
            return _secret(Secret(str(table[source]), source=source), key)
    return {name: _revealed(value, f"{key}.{name}") for name, value in table.items()}


def _secret(secret: Secret, key: str) -> str:
    try:
        return secret.reveal()
    except ConfigError as error:
        raise ConfigError(f"{key}: {error}") from error


def _pairs(table: Mapping[Any, Any]) -> Iterator[tuple[str, object]]:
    for name, value in table.items():
        yield str(name), value
