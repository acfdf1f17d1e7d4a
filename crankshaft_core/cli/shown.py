"""The configuration as it may be shown to anybody: key by key, its secrets hidden."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import cast

from crankshaft_core.config import BackendConfig
from crankshaft_core.config.secrets import HIDDEN

__all__ = ["settings", "without_password"]

_SECRET_NAME = re.compile(r"secret|token|passw|credential|private|api_?key|access_?key", re.IGNORECASE)
_PASSWORD_IN_URL = re.compile(r"(?<=://)([^/@:\s]*):[^/@\s]+@")

Path = tuple[str, ...]


def settings(backend: BackendConfig) -> Iterator[tuple[Path, object]]:
    """Every value that was given, by its key path: a text, number, boolean or list. None of them is a secret."""
    for path, value in _leaves(backend.model_dump(mode="json", exclude_unset=True), ()):
        if path[0] == "env" and _SECRET_NAME.search(path[-1]) and isinstance(value, str):
            yield path, HIDDEN
        else:
            yield path, without_password(value) if isinstance(value, str) else value


def without_password(text: str) -> str:
    """The text with the password of each URL in it hidden."""
    return _PASSWORD_IN_URL.sub(rf"\1:{HIDDEN}@", text)


def _leaves(value: object, path: Path) -> Iterator[tuple[Path, object]]:
    if isinstance(value, Mapping):
        for key, item in cast("Mapping[str, object]", value).items():
            yield from _leaves(item, (*path, key))
    elif value is not None:
        yield path, value
