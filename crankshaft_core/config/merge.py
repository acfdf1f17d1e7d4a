"""Many documents as one: by the backends' names, deeply, the later source over the earlier one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crankshaft_core.config.documents import Document, Report
from crankshaft_core.config.layout import Path, layout
from crankshaft_core.config.presets import preset, preset_names
from crankshaft_core.config.spelling import did_you_mean
from crankshaft_core.config.tree import Leaf, Node, Problem, Table

__all__ = ["Extensions", "merge_backends", "over"]


def merge_backends(documents: Sequence[Document]) -> dict[str, Table]:
    """Every backend that some document has. Another `kind` makes it another backend, which replaces the former."""
    merged: dict[str, Table] = {}
    for document in documents:
        for name, table in document.backends.items():
            base = merged.get(name)
            merged[name] = table if base is None or _another(base, table, "kind") else over(base, table)
    return merged


def over(base: Table, table: Table, path: Path = ()) -> Table:
    """`base` with the entries of `table` laid over it; tables are merged, everything else is replaced."""
    entries: dict[str, Node] = dict(base.entries)
    for key, node in table.entries.items():
        below = entries.get(key)
        here = (*path, key)
        if isinstance(below, Table) and isinstance(node, Table) and not _is_whole(below, node, here):
            entries[key] = over(below, node, here)
        else:
            entries[key] = node
    return Table(entries, table.origin)


def _is_whole(base: Table, table: Table, path: Path) -> bool:
    """Where to have a secret, and how to log in, is said in one place."""
    place = layout().get(path)
    return (place is not None and place.secret) or _another(base, table, "type")


def _another(base: Table, table: Table, key: str) -> bool:
    first, second = base.entries.get(key), table.entries.get(key)
    return isinstance(first, Leaf) and isinstance(second, Leaf) and first.value != second.value


class Extensions:
    """Lays each backend over the one that it `extends`, and that over its preset."""

    def __init__(self, backends: Mapping[str, Table], report: Report) -> None:
        self._backends = backends
        self._report = report

    def resolve(self, name: str) -> Table:
        """The backend with everything it builds on. What cannot be found is reported, and left out."""
        return self._over_preset(self._extended(name, ()), name)

    def _extended(self, name: str, above: tuple[str, ...]) -> Table:
        table = self._backends[name]
        extends = table.entries.get("extends")
        own = Table({key: node for key, node in table.entries.items() if key != "extends"}, table.origin)
        if not isinstance(extends, Leaf) or not isinstance(extends.value, str):
            if extends is not None:
                self._wrong(extends, name, "extends", "not the name of a backend")
            return own
        parent = extends.value
        if parent in (*above, name):
            self._wrong(extends, name, "extends", f"goes in a circle: {' -> '.join((*above, name, parent))}")
            return own
        if parent not in self._backends:
            self._wrong(extends, name, "extends", f"no backend named {parent!r}{did_you_mean(parent, self._backends)}")
            return own
        base = self._extended(parent, (*above, name))
        if _another(base, own, "kind"):
            self._wrong(own.entries["kind"], name, "kind", f"differs from that of {parent!r}, which it extends")
            return own
        return over(base, own)

    def _over_preset(self, table: Table, name: str) -> Table:
        chosen, kind = table.entries.get("preset"), table.entries.get("kind")
        if chosen is None or (isinstance(kind, Leaf) and kind.value != "Generic"):
            return table
        if isinstance(chosen, Leaf) and isinstance(chosen.value, str):
            base = preset(chosen.value)
            if base is not None:
                return over(base, table)
            message = f"no preset named {chosen.value!r}{did_you_mean(chosen.value, preset_names())}"
        else:
            message = f"not the name of a preset; known: {', '.join(preset_names())}"
        self._wrong(chosen, name, "preset", message)
        return table

    def _wrong(self, node: Node, name: str, key: str, message: str) -> None:
        self._report(Problem(node.origin, f"backends.{name}.{key}", message))
