"""What was written, each value with its place: the form in which files and variables are merged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from crankshaft_core.config.shapes import is_list, is_table
from crankshaft_core.config.toml_lines import KeyPath

__all__ = ["VARIABLE", "Leaf", "List", "Node", "Origin", "Problem", "Table", "find", "leaves", "locate", "plain"]

VARIABLE = "variable "
"""How the `file` of an Origin begins that is a variable of the environment."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was written: a file and line, a variable, a preset."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that was written wrongly, and where: one line of a ConfigError."""

    origin: Origin
    path: str
    message: str
    fatal: bool = False
    """A source is missing for it, so that what refers to that source cannot be judged."""

    def __str__(self) -> str:
        return ": ".join(filter(None, (str(self.origin), self.path, self.message)))


@dataclass(frozen=True, slots=True)
class Leaf:
    """A text, number or boolean."""

    value: object
    origin: Origin


@dataclass(frozen=True, slots=True)
class List:
    """A list. Lists are never merged: the stronger one stands."""

    items: tuple[Node, ...]
    origin: Origin


@dataclass(frozen=True, slots=True)
class Table:
    """A table. Its origin is that of the strongest source that has it."""

    entries: Mapping[str, Node]
    origin: Origin


Node = Leaf | List | Table


def locate(data: object, lines: Mapping[KeyPath, int], origin: Origin, path: KeyPath = ()) -> Node:
    """Plain data as a tree. `origin` stands for what `lines` does not know; null means "not given" and is dropped."""
    here = Origin(origin.file, lines[path]) if path in lines else origin
    if is_table(data):
        given = ((str(key), item) for key, item in data.items() if item is not None)
        entries = {key: locate(item, lines, here, (*path, key)) for key, item in given}
        return Table(entries, here)
    if is_list(data):
        items = enumerate(data)
        return List(tuple(locate(item, lines, here, (*path, index)) for index, item in items), here)
    return Leaf(data, here)


def plain(node: Node) -> object:
    """The tree as plain data."""
    if isinstance(node, Table):
        return {key: plain(item) for key, item in node.entries.items()}
    if isinstance(node, List):
        return [plain(item) for item in node.items]
    return node.value


def find(node: Node, path: KeyPath) -> tuple[Node, KeyPath]:
    """The deepest node on `path`, and how far that is. What names no entry, as pydantic's union tags, is skipped."""
    reached: KeyPath = ()
    for part in path:
        below = _entry(node, part)
        if below is not None:
            node, reached = below, (*reached, part)
    return node, reached


def leaves(node: Node, path: str = "") -> Iterator[tuple[str, Origin]]:
    """Dotted key path and place of everything under `node` that is no table."""
    if isinstance(node, Table):
        for key, item in node.entries.items():
            yield from leaves(item, f"{path}.{key}" if path else key)
    else:
        yield path, node.origin


def _entry(node: Node, part: str | int) -> Node | None:
    if isinstance(node, Table):
        return node.entries.get(str(part))
    if isinstance(node, List) and isinstance(part, int) and part < len(node.items):
        return node.items[part]
    return None
