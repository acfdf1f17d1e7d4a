"""A YAML text as plain data, with the line of every key.

Scalars are read as YAML 1.2 does: `on` and `no` are text, and 1:30 is no number of seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from crankshaft_core.config.toml_lines import KeyPath

__all__ = ["read_yaml"]


def read_yaml(text: str) -> tuple[object, dict[KeyPath, int]]:
    """The data, and the line (from 1) of each key path. Raises yaml.YAMLError."""
    loader: Any = _Loader(text)  # PyYAML's stubs do not type what a loader constructs
    try:
        node = loader.get_single_node()
        if node is None:
            return {}, {}
        _refuse_repetitions(node, ())
        data: object = loader.construct_document(node)
        return data, dict(_places(node, ()))
    finally:
        loader.dispose()


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (PyYAML's own name)


def _resolve(tag: str, pattern: str, first: str) -> None:
    loader: Any = _Loader
    loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), [*first, ""])


_resolve("bool", "true|True|TRUE|false|False|FALSE", "tTfF")
_resolve("null", "~|null|Null|NULL|", "~nN")
_resolve("int", "[-+]?(?:0|[1-9][0-9]*)", "-+0123456789")
_resolve("float", r"[-+]?(?:[0-9]*\.[0-9]+|[0-9]+\.|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?", "-+.0123456789")
_resolve("float", r"[-+]?\.inf|\.nan", "-+.")
_resolve("merge", "<<", "<")


def _refuse_repetitions(node: yaml.Node, above: tuple[int, ...]) -> None:
    """Raise for a key that is written twice, and for an alias inside its own anchor."""
    if id(node) in above:
        raise yaml.MarkedYAMLError(problem="an alias stands inside its own anchor", problem_mark=node.start_mark)
    seen: set[str] = set()
    for key, value in _entries(node):
        if key.value in seen:
            raise yaml.MarkedYAMLError(problem=f"the key {key.value!r} is written twice", problem_mark=key.start_mark)
        seen.add(key.value)
        _refuse_repetitions(value, (*above, id(node)))
    for value in node.value if isinstance(node, yaml.SequenceNode) else ():
        _refuse_repetitions(value, (*above, id(node)))


def _places(node: yaml.Node, path: KeyPath) -> Iterator[tuple[KeyPath, int]]:
    for key, value in _entries(node):
        yield (*path, key.value), key.start_mark.line + 1
        yield from _places(value, (*path, key.value))
    for index, value in enumerate(node.value if isinstance(node, yaml.SequenceNode) else ()):
        yield (*path, index), value.start_mark.line + 1
        yield from _places(value, (*path, index))


def _entries(node: yaml.Node) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
    """The entries of a table whose keys are scalars; the loader itself refuses other keys."""
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        if isinstance(key, yaml.ScalarNode):
            yield key, value
