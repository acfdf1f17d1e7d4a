"""Reading ssh_config(5) the way ssh does, for the client that is not ssh.

For each option the first value found counts; IdentityFile and CertificateFile add up. `Include`, `Host` and `Match`
nest as in ssh: what is included inside a block that does not apply does not apply either. Values come back as they
are written; `expand` fills in their `%` tokens, `~` and `${VARIABLES}`.
"""

from __future__ import annotations

import getpass
import glob
import logging
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crankshaft_core.drivers.ssh.patterns import matches
from crankshaft_core.errors import ConfigError

__all__ = ["Options", "expand", "expand_path", "lookup"]

logger = logging.getLogger(__name__)

Options = Mapping[str, Sequence[str]]
"""Option names in lower case, to their values."""

DEEPEST = 16
"""Includes in includes; the limit of ssh itself."""
EXEC_TIMEOUT = 20.0
"""Seconds for the command of a `Match exec`."""

_ADDING_UP = frozenset({"identityfile", "certificatefile"})
_TO_THE_END_OF_LINE = frozenset({"proxycommand", "knownhostscommand", "localcommand", "remotecommand"})
_LINE = re.compile(r"\s*(\w+)(?:\s*=\s*|\s+)(.*?)\s*$")
_WORD_PART = re.compile(r"""\\.|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"'\\]+|\\$""")
_WORD = re.compile(f"(?:{_WORD_PART.pattern})+")
_ESCAPED = re.compile(r"""\\(["'\\ ])""")
_TOKEN = re.compile(r"%(.)")
_VARIABLE = re.compile(r"\$\{(\w+)\}")


def lookup(host: str, *, user: str | None, port: int | None, file: str | None, home: Path) -> Options:
    """The options for `host`. `user` and `port` are given ones, which outrank the files.

    `file` is read instead of the user's and the system's; "none": nothing is read. Raises ConfigError.
    """
    search = _Search(host, host, home)
    if user is not None:
        search.found["user"] = [user]
    if port is not None:
        search.found["port"] = [str(port)]
    sources = _sources(file, home)
    _read_all(search, sources)
    if search.wants_final:
        search.final = True
        search.host = expand(search.found.get("hostname", [host])[0], {"h": host})
        _read_all(search, sources)
    return search.found


def expand(text: str, tokens: Mapping[str, str]) -> str:
    """`text` with its `%x` filled in. Raises ConfigError for a token that has no meaning there."""

    def value(match: re.Match[str]) -> str:
        if match[1] == "%":
            return "%"
        if match[1] not in tokens:
            raise ConfigError(f"ssh_config: %{match[1]} in {text!r} has no meaning here")
        return tokens[match[1]]

    return _TOKEN.sub(value, text)


def expand_path(text: str, tokens: Mapping[str, str], home: Path) -> str:
    """A path with `~`, `%x` and `${VARIABLE}` filled in."""

    def variable(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise ConfigError(f"ssh_config: the variable {match[1]} in {text!r} is not set")
        return os.environ[match[1]]

    return _at_home(expand(_VARIABLE.sub(variable, text), tokens), home)


@dataclass(slots=True)
class _Search:
    """What has been found so far, for one host."""

    host: str
    original: str
    home: Path
    final: bool = False
    wants_final: bool = False
    found: dict[str, list[str]] = field(default_factory=dict[str, list[str]])


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a line stands, and against what its relative includes resolve."""

    path: Path
    folder: Path
    depth: int = 0
    line: int = 0

    def problem(self, text: str) -> ConfigError:
        return ConfigError(f"{self.path}:{self.line}: {text}")


def _sources(file: str | None, home: Path) -> list[_Place]:
    if file is None:
        user = _Place(home / ".ssh/config", home / ".ssh")
        return [
            place for place in (user, _Place(Path("/etc/ssh/ssh_config"), Path("/etc/ssh"))) if place.path.is_file()
        ]
    if file.lower() == "none":
        return []
    path = Path(_at_home(file, home))
    if not path.is_file():
        raise ConfigError(f'ssh_config: there is no file {path}; write "none" to read none')
    return [_Place(path, home / ".ssh")]


def _read_all(search: _Search, sources: Sequence[_Place]) -> None:
    for place in sources:
        _read(search, place, active=True, never=False)


def _read(search: _Search, place: _Place, *, active: bool, never: bool) -> None:
    """One file. `never`: it is included where nothing applies, so its own Host lines cannot make it apply."""
    for keyword, rest, at in _lines(place):
        if keyword == "host":
            active = not never and matches(search.host, _words(rest, at))
        elif keyword == "match":
            active = not never and _match(search, _words(rest, at), at)
        elif keyword == "include":
            for included in _included(_words(rest, at), at, search.home):
                _read(search, included, active=active, never=never or not active)
        elif active:
            _take(search.found, keyword, [rest] if keyword in _TO_THE_END_OF_LINE else _words(rest, at))


def _lines(place: _Place) -> Iterator[tuple[str, str, _Place]]:
    try:
        text = place.path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise ConfigError(f"{place.path}: cannot be read: {error.strerror}") from None
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        at = _Place(place.path, place.folder, place.depth, number)
        match = _LINE.fullmatch(line)
        if match is None or not match[2]:
            raise at.problem(f"{line.strip()!r} has no value")
        yield match[1].lower(), match[2], at


def _words(text: str, at: _Place) -> list[str]:
    """Split as ssh does since 8.7: quotes group, a backslash escapes, a `#` in front of a word starts a comment."""
    words: list[str] = []
    rest = text.lstrip()
    while rest and not rest.startswith("#"):
        match = _WORD.match(rest)
        if match is None or (match.end() < len(rest) and not rest[match.end()].isspace()):
            raise at.problem("a quote is not closed")
        words.append("".join(_unquoted(part) for part in _WORD_PART.findall(match[0])))
        rest = rest[match.end() :].lstrip()
    return words


def _unquoted(part: str) -> str:
    inner = part[1:-1] if part[0] in "\"'" else part
    return _ESCAPED.sub(r"\1", inner)


def _take(found: dict[str, list[str]], keyword: str, values: list[str]) -> None:
    if keyword in _ADDING_UP:
        known = found.setdefault(keyword, [])
        known.extend(value for value in values if value not in known)
    elif keyword not in found:
        found[keyword] = values


def _included(patterns: Sequence[str], at: _Place, home: Path) -> Iterator[_Place]:
    if at.depth >= DEEPEST:
        raise at.problem("too many files include each other")
    for pattern in patterns:
        for name in sorted(glob.glob(str(at.folder / _at_home(pattern, home)))):  # noqa: PTH207 the pattern is absolute
            if Path(name).is_file():
                yield _Place(Path(name), at.folder, at.depth + 1)


def _at_home(text: str, home: Path) -> str:
    if text == "~" or text.startswith("~/"):
        return str(home) + text[1:]
    return str(Path(text).expanduser()) if text.startswith("~") else text


def _match(search: _Search, criteria: list[str], at: _Place) -> bool:
    """All criteria of a Match line hold."""
    words = iter(criteria)
    result = True
    for word in words:
        name = word.removeprefix("!").lower()
        holds = _flag(search, name)
        if holds is None:
            holds = _compared(search, name, next(words, None), at, asked=result)
        result = result and holds is not word.startswith("!")
    return result


def _flag(search: _Search, name: str) -> bool | None:
    """The criteria without a value; None for the others."""
    if name == "all":
        return True
    if name == "canonical":
        return False
    if name == "final":
        search.wants_final = True
        return search.final
    return None


def _compared(search: _Search, name: str, value: str | None, at: _Place, *, asked: bool) -> bool:
    if value is None:
        raise at.problem(f"Match {name} needs a value")
    if name == "exec":
        return asked and _succeeds(value, search)
    subjects = {
        "host": expand(search.found.get("hostname", [search.host])[0], {"h": search.host}),
        "originalhost": search.original,
        "user": search.found.get("user", [getpass.getuser()])[0],
        "localuser": getpass.getuser(),
    }
    if name not in subjects:
        logger.warning('%s:%d: client = "paramiko" passes over "Match %s"; use "openssh"', at.path, at.line, name)
        return False
    return matches(subjects[name], value.split(","))


def _succeeds(command: str, search: _Search) -> bool:
    tokens = {
        "h": search.found.get("hostname", [search.host])[0],
        "n": search.original,
        "p": search.found.get("port", ["22"])[0],
        "r": search.found.get("user", [getpass.getuser()])[0],
        "u": getpass.getuser(),
        "d": str(search.home),
        "l": os.uname().nodename,
        "L": os.uname().nodename.split(".")[0],
    }
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", expand(command, tokens)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=EXEC_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
