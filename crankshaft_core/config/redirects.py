"""A secret goes only where the file says that holds it: no other file may send it elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from crankshaft_core.config.layout import Path, layout
from crankshaft_core.config.options import is_secret_option
from crankshaft_core.config.tree import VARIABLE, Node, Origin, Problem, Table, find, plain

__all__ = ["redirected"]

_ADDRESSES: Mapping[str, tuple[Path, ...]] = {
    "locale": (("locale", "host"),),
    "http": (("url",),),
    "storage": (("storage", "url"), ("storage", "options", "endpoint_url"), ("storage", "options", "client_kwargs")),
}
"""By the table a secret stands in: what must stand in the same file."""

_DETOURS: Mapping[str, tuple[Path, ...]] = {
    "locale": (("locale", "port"), ("locale", "host_key"), ("locale", "known_hosts"), ("locale", "ssh_config")),
    "http": (("http", "proxy"), ("http", "verify"), ("http", "ca_bundle")),
}
"""What decides likewise where a secret goes, but may also be said by a weaker source: the site's proxy."""


def redirected(name: str, table: Table, sources: Sequence[str]) -> Iterator[Problem]:
    """A problem for each secret of the backend whose address is in another file. `sources` are weakest first."""
    for path, origin in _secrets(table):
        if _is_variable(origin):
            continue
        where = f"backends.{name}.{'.'.join(path)}"
        for other, place in _present(table, _ADDRESSES.get(path[0], ())):
            if not _is_variable(place) and place.file != origin.file:
                yield Problem(origin, where, f"must stand in the same file as {'.'.join(other)}, which is at {place}")
        for other, place in _present(table, _DETOURS.get(path[0], ())):
            if not _is_variable(place) and _rank(place, sources) > _rank(origin, sources):
                yield Problem(
                    place, f"backends.{name}.{'.'.join(other)}", f"would lead the secret of {origin} elsewhere"
                )


def _secrets(table: Table) -> Iterator[tuple[Path, Origin]]:
    for path, place in layout().items():
        found = _at(table, path)
        if place.secret and found is not None:
            yield path, found.origin
    options = _at(table, ("storage", "options"))
    if isinstance(options, Table):
        yield from _secret_options(options, ("storage", "options"))


def _secret_options(table: Table, path: Path) -> Iterator[tuple[Path, Origin]]:
    for key, node in table.entries.items():
        if is_secret_option(key, plain(node)):
            yield (*path, key), node.origin
        elif isinstance(node, Table):
            yield from _secret_options(node, (*path, key))


def _present(table: Table, paths: Sequence[Path]) -> Iterator[tuple[Path, Origin]]:
    for path in paths:
        found = _at(table, path)
        if found is not None:
            yield path, found.origin


def _at(table: Table, path: Path) -> Node | None:
    node, reached = find(table, path)
    return node if reached == path else None


def _is_variable(origin: Origin) -> bool:
    return origin.file.startswith(VARIABLE)


def _rank(origin: Origin, sources: Sequence[str]) -> int:
    return sources.index(origin.file) if origin.file in sources else -1
