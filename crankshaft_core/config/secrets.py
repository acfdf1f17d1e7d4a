"""A password or token: where it is to be had, and never what it is until it is asked for."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, SerializationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from crankshaft_core.config.shapes import is_table
from crankshaft_core.errors import ConfigError

__all__ = ["HIDDEN", "FingerprintKey", "Secret"]

HIDDEN = "********"
"""What is printed in a secret's place."""

COMMAND_TIMEOUT = 60.0
"""Seconds that a `{ command }` may take. It may talk to a vault, but it cannot ask a person."""


@dataclass(frozen=True, slots=True)
class FingerprintKey:
    """As the context of a dump: secrets are shown as fingerprints under this key."""

    key: bytes = field(repr=False)

    def digest(self, text: str) -> str:
        """The same for the same text, and of no use without the key."""
        return hashlib.blake2b(text.encode(), key=self.key, digest_size=32).hexdigest()


Source = Literal["text", "env", "file", "command"]
_SOURCES: tuple[Source, ...] = ("env", "file", "command")


class Secret:
    """A value that no printing, logging, dumping or pickling shows; only `reveal` does.

    It is written as a string, or as a table with one of `env` (a variable's name), `file` (a path; trailing line
    ends are dropped) and `command` (run by `sh`; its output is the secret). Nothing is looked up before `reveal`.
    """

    __slots__ = ("_content", "_source")

    def __init__(self, content: str, *, source: Source = "text") -> None:
        self._content = content
        self._source: Source = source

    @classmethod
    def read(cls, value: object) -> Secret:
        """The secret that is written as `value`. Raises ValueError, which does not repeat it."""
        if isinstance(value, Secret):
            return value
        if isinstance(value, str):
            return cls(value)
        entry = next(iter(value.items())) if is_table(value) and len(value) == 1 else ("", "")
        for source in _SOURCES:
            if entry[0] == source and isinstance(entry[1], str) and entry[1]:
                return cls(entry[1], source=source)
        raise ValueError('write a secret as text, { env = "NAME" }, { file = "PATH" } or { command = "…" }')

    @property
    def reference(self) -> dict[str, str] | None:
        """The table it was written as, which is no secret itself; None when it stands in the file as a string."""
        return None if self._source == "text" else {self._source: self._content}

    def reveal(self, environ: Mapping[str, str] | None = None) -> str:
        """The secret itself, looked up anew at every call. It blocks for as long as its file or command takes.

        Raises ConfigError when it cannot be had; the message names the place and never the content.
        """
        if self._source == "env":
            return _from_variable(self._content, os.environ if environ is None else environ)
        if self._source == "file":
            return _from_file(self._content)
        if self._source == "command":
            return _from_command(self._content)
        return self._content

    def shown(self) -> str | dict[str, str]:
        """What may be printed: the table it was written as, or HIDDEN."""
        return self.reference or HIDDEN

    def fingerprint(self, key: FingerprintKey) -> str:
        """The same for the same secret under the same key, and of no use without that key."""
        return key.digest(f"{self._source}\0{self._content}")

    def __repr__(self) -> str:
        return f"Secret({self})"

    def __str__(self) -> str:
        return HIDDEN if self._source == "text" else f"{{ {self._source} = {self._content!r} }}"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return (self._source, self._content) == (other._source, other._content)

    def __hash__(self) -> int:
        return hash((self._source, self._content))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled; load the configuration again where it is needed")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.read, serialization=core_schema.plain_serializer_function_ser_schema(_shown, info_arg=True)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        tables = [
            {
                "type": "object",
                "properties": {key: {"type": "string"}},
                "required": [key],
                "additionalProperties": False,
            }
            for key in _SOURCES
        ]
        return {"anyOf": [{"type": "string"}, *tables]}


def _shown(secret: Secret, info: SerializationInfo) -> str | dict[str, str]:
    if isinstance(info.context, FingerprintKey):
        return secret.fingerprint(info.context)
    return secret.shown()


def _from_variable(name: str, environ: Mapping[str, str]) -> str:
    if name not in environ:
        raise ConfigError(f"the secret {{ env = {name!r} }} is not there: the variable {name} is not set")
    return environ[name]


def _from_file(name: str) -> str:
    try:
        text = Path(name).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(f"the secret {{ file = {name!r} }} cannot be read: {reason}") from None
    return text.rstrip("\r\n")


def _from_command(command: str) -> str:
    where = f"the secret {{ command = {command!r} }}"
    try:
        done = subprocess.run(
            ["sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        raise ConfigError(f"{where} gave no answer within {COMMAND_TIMEOUT:.0f} s") from None
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().rsplit("\n", 1)[-1]
        raise ConfigError(f"{where} ended with exit code {done.returncode}: {last}")
    return done.stdout.decode(errors="replace").rstrip("\r\n")
