"""Command templates: `sbatch --mem=~{ram_mb}M --wrap='~{command}'`, filled for the shell that will read them.

One pass: a value is never looked at again, so it may hold `~{…}`, quotes or anything else. No whitespace is touched.

- `~{name}` is the value, as the shell must read it at that place: escaped for the quote around it (`'…'`, `"…"`,
  `$'…'`), else quoted by itself. The names in RAW are shell text and stay as they are outside quotes.
- `~{name?text}` is the text when `name` is set, and nothing when it is not. The text may hold placeholders.
- `~{name>2?text}` is the text when `name` is a number above 2.
- `\\~{` outside single quotes is no placeholder: the shell makes `~{` of it.

Placeholders in here-documents, `${…}`, backquotes and comments are refused, since no escaping is right there.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from crankshaft_core.backends.generic.quoting import Quoting
from crankshaft_core.errors import ConfigError, SubmitError

__all__ = ["RAW", "Template", "Value"]

Value = str | tuple[str, ...] | None
"""What a placeholder stands for: a text, several words, or None where it is not set. An empty text is not set."""

RAW = frozenset({"command", "extra_args"})
"""Names whose value is shell text already."""

_OPENING = re.compile(r"~\{([A-Za-z_][\w.-]*)(?:>(\d+))?([?}])")


@dataclass(frozen=True, slots=True)
class _Placeholder:
    name: str
    context: str


@dataclass(frozen=True, slots=True)
class _Conditional:
    name: str
    above: int | None
    body: Sequence[_Part]


_Part = str | _Placeholder | _Conditional


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template. `label` is how messages call it: "submit"."""

    text: str
    label: str
    parts: Sequence[_Part]

    @classmethod
    def parse(cls, text: str, *, label: str) -> Template:
        """Read a template. Raises ConfigError where it cannot be filled safely."""
        return cls(text, label, _Parser(text, label).parse())

    @property
    def names(self) -> frozenset[str]:
        """Every name it asks for."""
        return frozenset(_names(self.parts))

    def fill(self, values: Mapping[str, Value]) -> str:
        """The command. Raises SubmitError for a name that is unknown, or that is not set and not in `~{name?…}`.

        A name that some `~{name?…}` asks for may be an attribute that only other tasks set.
        """
        unknown = sorted(self.names - values.keys() - set(_conditions(self.parts)))
        if unknown:
            known = ", ".join(sorted(values))
            raise SubmitError(f"{self.label}: no placeholder is called ~{{{unknown[0]}}}; known: {known}")
        return "".join(self._filled(self.parts, values))

    def _filled(self, parts: Sequence[_Part], values: Mapping[str, Value]) -> Iterator[str]:
        for part in parts:
            if isinstance(part, str):
                yield part
            elif isinstance(part, _Placeholder):
                yield self._value(part, values.get(part.name))
            elif _holds(part, values.get(part.name)):
                yield from self._filled(part.body, values)

    def _value(self, part: _Placeholder, value: Value) -> str:
        if value is None:
            raise SubmitError(
                f"{self.label} needs ~{{{part.name}}}, which neither the task nor the backend's defaults give; "
                f"to leave it out then, write ~{{{part.name}?…}} around it"
            )
        words = (value,) if isinstance(value, str) else value
        if part.context:
            return _escaped(" ".join(words), part.context)
        return " ".join(words if part.name in RAW else map(shlex.quote, words))


def _holds(part: _Conditional, value: Value) -> bool:
    if not value:
        return False
    if part.above is None:
        return True
    try:
        return float(value if isinstance(value, str) else value[0]) > part.above
    except ValueError:
        raise SubmitError(f"~{{{part.name}>{part.above}?…}} compares numbers, and {part.name} is {value!r}") from None


def _names(parts: Sequence[_Part]) -> Iterator[str]:
    for part in parts:
        if not isinstance(part, str):
            yield part.name
        if isinstance(part, _Conditional):
            yield from _names(part.body)


def _conditions(parts: Sequence[_Part]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, _Conditional):
            yield part.name
            yield from _conditions(part.body)


def _escaped(text: str, quote: str) -> str:
    """So that the text keeps its meaning between these quotes (bash(1), QUOTING)."""
    if quote == "'":
        return text.replace("'", "'\\''")
    special = r'([\\$`"])' if quote == '"' else r"([\\'])"
    return re.sub(special, r"\\\1", text)


class _Parser:
    """Splits a template into its parts, and knows the quotes around each of them."""

    def __init__(self, text: str, label: str) -> None:
        self._text = text
        self._label = label
        self._at = 0
        self._quoting = Quoting()

    def parse(self) -> Sequence[_Part]:
        parts, closed = self._parts(inside=False)
        assert not closed
        return parts

    def _parts(self, *, inside: bool) -> tuple[Sequence[_Part], bool]:
        """Up to the end of the text, or `inside` a conditional up to the brace that closes it."""
        parts: list[_Part] = []
        start, depth = self._at, 0
        while self._at < len(self._text):
            if self._text.startswith("~{", self._at):
                parts += [self._text[start : self._at], self._placeholder()]
                start = self._at
                continue
            if inside and self._text[self._at] == "}" and depth == 0 and self._quoting.context != "${":
                parts.append(self._text[start : self._at])
                self._at += 1
                return _joined(parts), True
            depth += self._braces()
            self._advance()
        parts.append(self._text[start : self._at])
        return _joined(parts), False

    def _braces(self) -> int:
        """How the next character changes the number of open braces that are not the shell's own `${…}`."""
        if self._quoting.context == "${":
            return 0
        return {"{": 1, "}": -1}.get(self._text[self._at], 0)

    def _advance(self) -> None:
        self._at, refused = self._quoting.advance(self._text, self._at)
        if refused:
            raise self._error(f"{refused} cannot be filled safely; use ~{{script}}")

    def _placeholder(self) -> _Part:
        match = _OPENING.match(self._text, self._at)
        if match is None or (match[2] and match[3] == "}"):
            raise self._error("'~{' begins no placeholder; write ~{name}, ~{name?text} or ~{name>1?text}")
        if self._quoting.context in _REFUSED:
            raise self._error(f"~{{{match[1]}}} stands in {_REFUSED[self._quoting.context]}, where no quoting is safe")
        self._at = match.end()
        if match[3] == "}":
            return _Placeholder(match[1], self._quoting.quote)
        return self._conditional(match)

    def _conditional(self, match: re.Match[str]) -> _Conditional:
        around = self._quoting.copy()
        body, closed = self._parts(inside=True)
        if not closed:
            raise self._error(f"~{{{match[1]}?… is never closed")
        if self._quoting != around:
            raise self._error(f"a quote or bracket opened inside ~{{{match[1]}?…}} must close inside it")
        return _Conditional(match[1], int(match[2]) if match[2] else None, body)

    def _error(self, what: str) -> ConfigError:
        return ConfigError(f"{self._label}, character {self._at + 1}: {what}")


_REFUSED = {"`": "backquotes (write $(…) instead)", "${": "${…}", "#": "a comment"}


def _joined(parts: list[_Part]) -> Sequence[_Part]:
    return tuple(part for part in parts if part != "")
