"""`CRANKSHAFT_BACKENDS__<NAME>__<FIELD>[__<FIELD>…]` variables, as the strongest document."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path as FilePath

from crankshaft_core.config.documents import Document, Report, tidy
from crankshaft_core.config.layout import Path, is_free, layout
from crankshaft_core.config.merge import over
from crankshaft_core.config.tree import VARIABLE, Leaf, Node, Origin, Problem, Table, locate

__all__ = ["PREFIX", "variables"]

PREFIX = "CRANKSHAFT_BACKENDS__"


def variables(environ: Mapping[str, str], known: Collection[str], *, base: FilePath, report: Report) -> Document:
    """The fields that variables set. Names fold case, `-` and `_`; `known` are the backends that files have.

    A name that no file has is a new backend, in lower case. Two variables for one field, and a variable that two
    backends' names fold to, are reported.
    """
    return _Variables(environ, known, base, report).document()


class _Variables:
    def __init__(self, environ: Mapping[str, str], known: Collection[str], base: FilePath, report: Report) -> None:
        self._environ = environ
        self._known = known
        self._base = base
        self._report = report
        self._seen: dict[tuple[str, Path], str] = {}

    def document(self) -> Document:
        backends: dict[str, Table] = {}
        for variable in sorted(self._environ):
            for name, table in self._read(variable):
                backends[name] = over(backends[name], table) if name in backends else table
        return Document("variables", backends)

    def _read(self, variable: str) -> Iterator[tuple[str, Table]]:
        if not variable.upper().startswith(PREFIX) or not self._environ[variable]:
            return
        origin = Origin(VARIABLE + variable)
        name, keys = self._split(variable[len(PREFIX) :], origin)
        if not name:
            return
        path = _folded(keys)
        if not all(path) or not path:
            self._wrong(origin, f"not of the form {PREFIX}NAME__FIELD")
            return
        first = self._seen.setdefault((name, path), variable)
        if first != variable:
            self._wrong(origin, f"sets the same field as {first}")
            return
        node = self._value(self._environ[variable], path, origin)
        if node is not None:
            table = _nested(path, node, Leaf(name, origin))
            yield name, tidy(table, where=f"backends.{name}", base=self._base, report=self._report)

    def _split(self, rest: str, origin: Origin) -> tuple[str, list[str]]:
        """The backend's name, as the files spell it, and the keys after it; no name where it is ambiguous."""
        matching = [name for name in self._known if f"{_fold(rest)}__".startswith(f"{_fold(name)}__")]
        longest = max(map(len, matching), default=0)
        names = sorted(name for name in matching if len(name) == longest)
        if len(names) > 1:
            self._wrong(origin, f"means any of the backends {', '.join(names)}")
            return "", []
        if names:
            return names[0], rest[longest:].removeprefix("__").split("__")
        name, *keys = rest.split("__")
        if not name:
            self._wrong(origin, f"not of the form {PREFIX}NAME__FIELD")
        return name.lower(), keys

    def _value(self, text: str, path: Path, origin: Origin) -> Node | None:
        """Text as it is; where the field takes no text, lists and tables are TOML, and `true` is true."""
        place = layout().get(path)
        if (place is not None and place.text) or is_free(path[:-1]):
            return Leaf(text, origin)
        if text.lower() in {"true", "false"}:
            return Leaf(text.lower() == "true", origin)
        if not text.lstrip().startswith(("[", "{")):
            return Leaf(text, origin)
        try:
            return locate(tomllib.loads(f"value = {text.strip()}")["value"], {}, origin)
        except tomllib.TOMLDecodeError:
            self._wrong(origin, "neither plain text nor a TOML list or table")
            return None

    def _wrong(self, origin: Origin, message: str) -> None:
        self._report(Problem(origin, "", message))


def _folded(keys: list[str]) -> Path:
    path: Path = ()
    for key in keys:
        path = (*path, key if is_free(path) else _fold(key))
    return path


def _fold(name: str) -> str:
    return name.lower().replace("-", "_")


def _nested(path: Path, node: Node, name: Leaf) -> Table:
    for key in reversed(path):
        node = Table({key: node}, name.origin)
    assert isinstance(node, Table)
    return Table({"name": name, **node.entries}, name.origin)
