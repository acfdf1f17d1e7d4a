"""The line of every key in a TOML text, which `tomllib` does not tell.

The text must be valid TOML (1.0, and the line breaks that 1.1 allows in inline tables): this only finds where things
stand, and what they mean is tomllib's to say.
"""

from __future__ import annotations

import re
from bisect import bisect_left

__all__ = ["KeyPath", "toml_lines"]

KeyPath = tuple[str | int, ...]

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRINGS = (
    r'"""(?:[^\\]|\\.)*?"{3,5}',
    r"'''.*?'{3,5}",
    r'"(?:[^"\\\n]|\\.)*"',
    r"'[^'\n]*'",
)
_STRING = re.compile("|".join(_STRINGS), re.DOTALL)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^\s,\]}#]+(?: \d\d:\d\d:[^\s,\]}#]+)?")
_ESCAPE = re.compile(r'\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|([btnfre"\\]))')
_ESCAPED = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b", '"': '"', "\\": "\\"}


def toml_lines(text: str) -> dict[KeyPath, int]:
    """Key path to the line (from 1) on which it is first written; elements of lists are counted from 0."""
    return _Scanner(text).scan()


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._newlines = [found.start() for found in re.finditer("\n", text)]
        self._lines: dict[KeyPath, int] = {}
        self._tables: dict[KeyPath, int] = {}  # arrays of tables, and how many there are of each

    def scan(self) -> dict[KeyPath, int]:
        prefix: KeyPath = ()
        while self._skip_space():
            if self._peek("["):
                prefix = self._header()
            else:
                self._key_and_value(prefix)
        return self._lines

    def _header(self) -> KeyPath:
        line = self._line()
        many = self._peek("[[")
        self._at += 2 if many else 1
        *parents, last = self._key()
        path: KeyPath = ()
        for part in parents:
            path = self._inside((*path, part))
            self._lines.setdefault(path, line)
        path = (*path, last)
        self._lines.setdefault(path, line)
        if many:
            self._tables[path] = self._tables.get(path, 0) + 1
            path = (*path, self._tables[path] - 1)
            self._lines[path] = line
        self._at += 2 if many else 1
        return path

    def _inside(self, path: KeyPath) -> KeyPath:
        """An array of tables stands for its last element."""
        return (*path, self._tables[path] - 1) if path in self._tables else path

    def _key_and_value(self, prefix: KeyPath) -> None:
        line = self._line()
        path = prefix
        for part in self._key():
            path = (*path, part)
            self._lines.setdefault(path, line)
        self._at += 1  # the equals sign, where _key has stopped
        self._skip_space()
        self._value(path)

    def _key(self) -> list[str]:
        """A dotted key, up to the sign that ends it."""
        parts: list[str] = []
        while True:
            self._skip_space()
            parts.append(self._key_part())
            self._skip_space()
            if not self._peek("."):
                return parts
            self._at += 1

    def _key_part(self) -> str:
        found = _BARE_KEY.match(self._text, self._at)
        if found:
            self._at = found.end()
            return found[0]
        quoted = self._match(_STRING)
        return quoted[1:-1] if quoted[0] == "'" else _ESCAPE.sub(_unescaped, quoted[1:-1])

    def _value(self, path: KeyPath) -> None:
        if self._peek("["):
            self._elements(path)
        elif self._peek("{"):
            self._inline_table(path)
        elif self._peek('"') or self._peek("'"):
            self._match(_STRING)
        else:
            self._match(_SCALAR)

    def _elements(self, path: KeyPath) -> None:
        index = 0
        while not self._closes("]"):
            self._lines[*path, index] = self._line()
            self._value((*path, index))
            index += 1

    def _inline_table(self, path: KeyPath) -> None:
        while not self._closes("}"):
            self._key_and_value(path)

    def _closes(self, sign: str) -> bool:
        """Step over the bracket or comma before the next element, and over the closing bracket if it is there."""
        self._skip_space()
        if self._peek(sign):
            self._at += 1
            return True
        self._at += 1
        self._skip_space()
        if self._peek(sign):
            self._at += 1
            return True
        return False

    def _line(self) -> int:
        return bisect_left(self._newlines, self._at) + 1

    def _peek(self, sign: str) -> bool:
        return self._text.startswith(sign, self._at)

    def _skip_space(self) -> bool:
        """Skip white space, line ends and comments; False at the end of the text."""
        self._match(_SPACE)
        return self._at < len(self._text)

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        assert found is not None, "the text is valid TOML"
        self._at = found.end()
        return found[0]


def _unescaped(found: re.Match[str]) -> str:
    code = found[1] or found[2] or found[3]
    return chr(int(code, 16)) if code else _ESCAPED[found[4]]
