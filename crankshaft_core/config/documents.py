"""One source's text as a document: its backends by name, its keys in one spelling, its paths made absolute."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from json import JSONDecodeError
from pathlib import Path as FilePath

import yaml

from crankshaft_core.config.common import ALIASES
from crankshaft_core.config.json_text import read_json
from crankshaft_core.config.layout import Path, is_free, layout
from crankshaft_core.config.spelling import did_you_mean
from crankshaft_core.config.toml_lines import KeyPath, toml_lines
from crankshaft_core.config.tree import Leaf, List, Node, Origin, Problem, Table, locate
from crankshaft_core.config.yaml_text import read_yaml

__all__ = ["Document", "Report", "Text", "document", "tidy"]

Report = Callable[[Problem], None]


@dataclass(frozen=True, slots=True)
class Text:
    """The text of a source. `base` is the directory that its relative paths stand in."""

    content: str
    label: str
    base: FilePath
    format: str = ".toml"


@dataclass(frozen=True, slots=True)
class Document:
    """What one source says."""

    label: str
    backends: Mapping[str, Table] = field(default_factory=dict[str, Table])
    default: Leaf | None = None


def document(text: Text, report: Report) -> Document:
    """Read one source; what is wrong with its syntax or outer shape is reported, and left out."""
    try:
        data, lines = _READERS[text.format](text.content)
    except (tomllib.TOMLDecodeError, JSONDecodeError, yaml.YAMLError) as error:
        line, message = _syntax(error, text.content)
        report(Problem(Origin(text.label, line), "", message, fatal=True))
        return Document(text.label)
    root = locate(data, lines, Origin(text.label))
    if isinstance(root, Table):
        return _Shape(text, report).document(root)
    report(Problem(root.origin, "", "not a table; write [[backends]]", fatal=True))
    return Document(text.label)


def _read_toml(text: str) -> tuple[object, dict[KeyPath, int]]:
    return tomllib.loads(text), toml_lines(text)


_READERS: Mapping[str, Callable[[str], tuple[object, dict[KeyPath, int]]]] = {
    ".toml": _read_toml,
    ".json": read_json,
    ".yaml": read_yaml,
    ".yml": read_yaml,
}


class _Shape:
    """The outer shape: `backends` as a list or a table, and `default`."""

    def __init__(self, text: Text, report: Report) -> None:
        self._text = text
        self._report = report

    def document(self, root: Table) -> Document:
        for key, node in root.entries.items():
            if key not in {"backends", "default", "$schema"}:
                self._wrong(node, key, "unknown key" + did_you_mean(key, ("backends", "default")))
        default = root.entries.get("default")
        if default is not None and not (isinstance(default, Leaf) and isinstance(default.value, str)):
            self._wrong(default, "default", "not the name of a backend")
            default = None
        return Document(self._text.label, self._backends(root.entries.get("backends")), default)

    def _backends(self, node: Node | None) -> dict[str, Table]:
        if isinstance(node, List):
            return self._from_list(node)
        if isinstance(node, Table):
            return self._from_table(node)
        if node is not None:
            self._wrong(node, "backends", "not a list of tables; write [[backends]]")
        return {}

    def _from_list(self, items: List) -> dict[str, Table]:
        found: dict[str, Table] = {}
        for index, item in enumerate(items.items):
            named = self._named(item, f"backends[{index}]")
            if named is None:
                continue
            name, table = named
            if name in found:
                self._wrong(item, f"backends.{name}", f"the name is taken already, at {found[name].origin}")
            else:
                found[name] = self._tidy(table, name)
        return found

    def _named(self, item: Node, where: str) -> tuple[str, Table] | None:
        if not isinstance(item, Table):
            self._wrong(item, where, "not a table")
            return None
        name = item.entries.get("name")
        if isinstance(name, Leaf) and isinstance(name.value, str) and name.value:
            return name.value, item
        if name is None:
            self._wrong(item, f"{where}.name", "missing; every backend needs a name")
        else:
            self._wrong(name, f"{where}.name", "not a name; write it in quotes")
        return None

    def _from_table(self, table: Table) -> dict[str, Table]:
        stray = next((key for key, item in table.entries.items() if not isinstance(item, Table)), None)
        if stray is not None:
            self._wrong(table.entries[stray], f"backends.{stray}", "not a table; write [[backends]] or [backends.NAME]")
            return {}
        return {name: self._keyed(name, item) for name, item in table.entries.items() if isinstance(item, Table)}

    def _keyed(self, name: str, table: Table) -> Table:
        said = table.entries.get("name", Leaf(name, table.origin))
        if not isinstance(said, Leaf) or said.value != name:
            self._wrong(said, f"backends.{name}.name", f"differs from the table's own name, {name!r}")
        return self._tidy(Table({**table.entries, "name": Leaf(name, said.origin)}, table.origin), name)

    def _tidy(self, table: Table, name: str) -> Table:
        return tidy(table, where=f"backends.{name}", base=self._text.base, report=self._report)

    def _wrong(self, node: Node, path: str, message: str) -> None:
        self._report(Problem(node.origin, path, message))


def tidy(table: Table, *, where: str, base: FilePath, report: Report) -> Table:
    """A backend's table with its keys in snake_case, its short forms written out and its local paths absolute."""
    tidied = _Tidy(where, base, report).node(table, ())
    assert isinstance(tidied, Table)
    return tidied


_SHORT_FORMS: Mapping[Path, str] = {("storage",): "url"}
"""Fields that are written as text or as a table, and the key of the table that the text stands for."""


@dataclass(frozen=True, slots=True)
class _Tidy:
    where: str
    base: FilePath
    report: Report

    def node(self, node: Node, path: Path) -> Node:
        if isinstance(node, Table):
            return self._table(node, path)
        if isinstance(node, List):
            return List(tuple(self.node(item, path) for item in node.items), node.origin)
        if path in _SHORT_FORMS and isinstance(node.value, str):
            return Table({_SHORT_FORMS[path]: node}, node.origin)
        return self._leaf(node, path)

    def _table(self, table: Table, path: Path) -> Table:
        entries: dict[str, Node] = {}
        written: dict[str, str] = {}
        for key, item in table.entries.items():
            name = key if is_free(path) else _fold(key, path)
            if name in entries:
                where = ".".join((self.where, *path, name))
                self.report(Problem(item.origin, where, f"written twice, as {written[name]} and as {key}"))
            entries[name] = self.node(item, (*path, name))
            written[name] = key
        return Table(entries, table.origin)

    def _leaf(self, leaf: Leaf, path: Path) -> Leaf:
        if not isinstance(leaf.value, str) or not _is_local_file(path) or leaf.value == "none":
            return leaf
        return Leaf(str(self.base / FilePath(leaf.value).expanduser()), leaf.origin)


def _fold(key: str, path: Path) -> str:
    name = key.replace("-", "_")
    return ALIASES.get(path, {}).get(name, name)


def _is_local_file(path: Path) -> bool:
    places = layout()
    if path in places:
        return places[path].local_file
    if path[-1:] != ("file",):
        return False
    return (path[:-1] in places and places[path[:-1]].secret) or path[:2] == ("storage", "options")


def _syntax(error: tomllib.TOMLDecodeError | JSONDecodeError | yaml.YAMLError, text: str) -> tuple[int | None, str]:
    """The line, and a message that repeats nothing of the text."""
    if isinstance(error, JSONDecodeError):
        return error.lineno, f"not valid JSON: {_lower(error.msg)} (column {error.colno})"
    if isinstance(error, yaml.YAMLError):
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
        return (mark.line + 1 if mark else None), f"not valid YAML: {problem}"
    found = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", str(error), re.DOTALL)
    if found is None:
        return None, f"not valid TOML: {_lower(str(error))}"
    if found[2] is None:
        return len(text.splitlines()), f"not valid TOML: {_lower(found[1])} (at the end)"
    return int(found[2]), f"not valid TOML: {_lower(found[1])} (column {found[3]})"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
