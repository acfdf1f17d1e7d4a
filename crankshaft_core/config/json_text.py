"""A JSON text as plain data, with the line of every key."""

from __future__ import annotations

import re
from bisect import bisect_left
from json import JSONDecodeError, JSONDecoder

from crankshaft_core.config.toml_lines import KeyPath

__all__ = ["read_json"]

_SPACE = re.compile(r"[ \t\r\n]*")


def read_json(text: str) -> tuple[object, dict[KeyPath, int]]:
    """The data, and the line (from 1) of each key path. Raises JSONDecodeError, also for a key written twice."""
    data: object = JSONDecoder().decode(text)
    lines: dict[KeyPath, int] = {}
    _Scanner(text, lines).value(_space(text, 0), ())
    return data, lines


class _Scanner:
    """Walks over valid JSON. Each method takes the position where its part begins, and returns where it ends."""

    def __init__(self, text: str, lines: dict[KeyPath, int]) -> None:
        self._text = text
        self._lines = lines
        self._newlines = [found.start() for found in re.finditer("\n", text)]
        self._decoder = JSONDecoder()

    def value(self, at: int, path: KeyPath) -> int:
        if self._text[at] == "{":
            return self._table(_space(self._text, at + 1), path)
        if self._text[at] == "[":
            return self._list(_space(self._text, at + 1), path)
        return self._decoder.raw_decode(self._text, at)[1]

    def _table(self, at: int, path: KeyPath) -> int:
        while self._text[at] != "}":
            key, end = self._decoder.raw_decode(self._text, at)
            if (*path, key) in self._lines:
                raise JSONDecodeError(f"the key {key!r} is written twice", self._text, at)
            self._note((*path, key), at)
            colon = _space(self._text, end)
            at = self._next(self.value(_space(self._text, colon + 1), (*path, key)))
        return at + 1

    def _list(self, at: int, path: KeyPath) -> int:
        index = 0
        while self._text[at] != "]":
            self._note((*path, index), at)
            at = self._next(self.value(at, (*path, index)))
            index += 1
        return at + 1

    def _next(self, at: int) -> int:
        """Over a comma, to the next element or the closing bracket."""
        at = _space(self._text, at)
        return _space(self._text, at + 1) if self._text[at] == "," else at

    def _note(self, path: KeyPath, at: int) -> None:
        self._lines[path] = bisect_left(self._newlines, at) + 1


def _space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at
