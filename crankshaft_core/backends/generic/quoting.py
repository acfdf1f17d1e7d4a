"""Which quotes stand around a place in a shell text. Enough of bash's grammar for one-line commands, and no more."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

__all__ = ["Quoting"]

_HERE_DOCUMENT = re.compile(r"<<-?\s*[\\'\"A-Za-z_]")


@dataclass(slots=True)
class Quoting:
    """The open quotes and brackets, outermost first: `'`, `"`, `$'`, backquote, `(`, `${`, and `#` for a comment."""

    open: list[str] = field(default_factory=list[str])

    @property
    def context(self) -> str:
        """The innermost of them; empty when there is none."""
        return self.open[-1] if self.open else ""

    @property
    def quote(self) -> str:
        """The quote that a text at this place must be escaped for; empty where words are split."""
        return self.context if self.context in {"'", '"', "$'"} else ""

    def copy(self) -> Quoting:
        """The same, on its own."""
        return Quoting(list(self.open))

    def advance(self, text: str, at: int) -> tuple[int, str]:
        """Take note of what stands `at`. Returns the place after it, and what it is when it cannot be followed."""
        step = {"'": self._single, "$'": self._ansi, '"': self._double, "#": self._comment}.get(self.context)
        if step is not None:
            return at + step(text, at), ""
        if _HERE_DOCUMENT.match(text, at) and text[at - 1 : at] != "<":
            return at, "a here-document"
        return at + self._bare(text, at), ""

    def _single(self, text: str, at: int) -> int:
        if text[at] == "'":
            self.open.pop()
        return 1

    def _ansi(self, text: str, at: int) -> int:
        if text[at] == "\\":
            return min(2, len(text) - at)
        return self._single(text, at)

    def _comment(self, text: str, at: int) -> int:
        if text[at] == "\n":
            self.open.pop()
        return 1

    def _double(self, text: str, at: int) -> int:
        if text[at] == '"':
            self.open.pop()
            return 1
        return self._expansion(text, at)

    def _bare(self, text: str, at: int) -> int:
        char = text[at]
        if (self.context, char) in {("(", ")"), ("${", "}"), ("`", "`")}:
            self.open.pop()
            return 1
        if text.startswith("$'", at) and not self._in_double():
            self.open.append("$'")
            return 2
        if char == '"' or (char == "'" and not self._in_double()):
            self.open.append(char)
            return 1
        if char == "(" and self.context != "${":
            self.open.append("(")
            return 1
        if char == "#" and (at == 0 or text[at - 1] in " \t\n;|&(") and self.context != "${":
            self.open.append("#")
            return 1
        return self._expansion(text, at)

    def _in_double(self) -> bool:
        """In `"${x:-it's}"` an apostrophe is a letter like any other."""
        return self.context == "${" and '"' in self.open[-2:-1]

    def _expansion(self, text: str, at: int) -> int:
        if text[at] == "\\":
            return min(2, len(text) - at)
        if text[at] == "`":
            self.open.append("`")
            return 1
        if text[at : at + 2] in {"$(", "${"}:
            self.open.append("(" if text[at + 1] == "(" else "${")
            return 2
        return 1
