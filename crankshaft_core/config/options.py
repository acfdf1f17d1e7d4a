"""Options of a library, as its own documentation calls them, with secrets among them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, PlainSerializer, SerializationInfo

from crankshaft_core.config.fields import FreeKeys
from crankshaft_core.config.secrets import FingerprintKey, Secret
from crankshaft_core.config.shapes import is_table

__all__ = ["Options", "is_secret_option", "is_telling", "reveal"]

_TELLING = re.compile(r"(?i)secret|token|passw|passphrase|credential|connection_?string|(?:^|[_.-]|api|access)key$")


def is_telling(name: str) -> bool:
    """True for a name under which secrets are kept: AWS_SECRET_ACCESS_KEY, db_password, token."""
    return bool(_TELLING.search(name))


def is_secret_option(name: str, value: object) -> bool:
    """True for a text under a telling name, and for a table that says where a secret is to be had."""
    if is_table(value):
        return len(value) == 1 and next(iter(value)) in {"env", "file", "command"}
    return isinstance(value, str) and is_telling(name)


def reveal(value: object) -> Any:
    """`value` with the secrets in it looked up."""
    if isinstance(value, Secret):
        return value.reveal()
    if is_table(value):
        return {key: reveal(item) for key, item in value.items()}
    return value


def _read(options: Mapping[str, object]) -> dict[str, object]:
    return {key: _read_one(key, item) for key, item in options.items()}


def _read_one(name: str, value: object) -> object:
    if is_secret_option(name, value):
        return Secret.read(value)
    return _read(value) if is_table(value) else value


def _written(options: Mapping[str, object], info: SerializationInfo) -> dict[str, object]:
    return {key: _written_one(item, info) for key, item in options.items()}


def _written_one(value: object, info: SerializationInfo) -> object:
    if isinstance(value, Secret):
        return value.fingerprint(info.context) if isinstance(info.context, FingerprintKey) else value.shown()
    return _written(value, info) if is_table(value) else value


Options = Annotated[Mapping[str, object], FreeKeys(), AfterValidator(_read), PlainSerializer(_written)]
"""Texts, numbers, booleans, lists and tables; what is secret among them is held as a Secret."""
