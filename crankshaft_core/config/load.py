"""From sources to backends: read, merge, extend, check; all problems at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from crankshaft_core.config.check import check, warnings
from crankshaft_core.config.documents import Document, Text, document
from crankshaft_core.config.fields import cores
from crankshaft_core.config.kinds import BackendConfig
from crankshaft_core.config.merge import Extensions, merge_backends, over
from crankshaft_core.config.redirects import redirected
from crankshaft_core.config.sources import Surroundings, texts
from crankshaft_core.config.spelling import did_you_mean
from crankshaft_core.config.tree import Leaf, Origin, Problem, Table, leaves
from crankshaft_core.config.variables import variables
from crankshaft_core.errors import ConfigError

__all__ = ["LOCAL", "Loaded", "load", "parse"]

LOCAL = "local"
"""The backend that is always there."""

BUILT_IN = Origin("built in")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of the sources."""

    backends: Mapping[str, BackendConfig]
    default: str | None
    origins: Mapping[str, Origin]
    warnings: tuple[str, ...]
    builtin: frozenset[str]


def load(path: Path | None, around: Surroundings) -> Loaded:
    """Everything that is found `around`, and the file named by `path`. Raises ConfigError."""
    problems: list[Problem] = []
    documents = [document(text, problems.append) for text in texts(path, around, problems.append)]
    known = {LOCAL, *(name for found in documents for name in found.backends)}
    documents.append(variables(around.environ, known, base=around.cwd, report=problems.append))
    return _Whole(documents, problems).loaded()


def parse(text: Text) -> Loaded:
    """One text and nothing else. Raises ConfigError."""
    problems: list[Problem] = []
    return _Whole([document(text, problems.append)], problems).loaded()


class _Whole:
    def __init__(self, documents: Sequence[Document], problems: list[Problem]) -> None:
        self._documents = documents
        self._problems = problems
        self._sources = [found.label for found in documents]
        self._told: set[tuple[Origin, str, str]] = set()

    def loaded(self) -> Loaded:
        merged = merge_backends(self._documents)
        builtin = _with_local(merged)
        if any(problem.fatal for problem in self._problems):
            self._raise()
        extensions = Extensions(dict(merged), self._problems.append)
        tables = {name: extensions.resolve(name) for name in merged}
        backends = {name: self._checked(name, table) for name, table in tables.items()}
        default = self._default(tables)
        self._raise()
        return Loaded(
            {name: backend for name, backend in backends.items() if backend is not None},
            None if default is None else str(default.value),
            _origins(tables, default),
            tuple(warning for name, table in tables.items() for warning in warnings(name, table)),
            builtin,
        )

    def _checked(self, name: str, table: Table) -> BackendConfig | None:
        """The backend. What it has inherited is found wrong once, and what it failed to inherit is not missed."""
        found: list[Problem] = []
        backend = check(name, table, found.append)
        found += redirected(name, table, self._sources)
        paths = {problem.path for problem in self._problems}
        orphan = bool(paths & {f"backends.{name}.extends", f"backends.{name}.preset"})
        for problem in (problem for problem in found if problem.path not in paths):
            told = (problem.origin, problem.path.removeprefix(f"backends.{name}"), problem.message)
            known = problem.origin.line is not None and told in self._told
            if not known and not (orphan and problem.message.startswith("missing")):
                self._problems.append(problem)
            self._told.add(told)
        return backend

    def _default(self, tables: Mapping[str, Table]) -> Leaf | None:
        defaults = [found.default for found in self._documents if found.default is not None]
        if not defaults:
            return None
        name = str(defaults[-1].value)
        if name not in tables:
            said = f"no backend named {name!r}{did_you_mean(name, tables)}"
            self._problems.append(Problem(defaults[-1].origin, "default", said))
        return defaults[-1]

    def _raise(self) -> None:
        if self._problems:
            ordered = sorted(dict.fromkeys(self._problems), key=self._rank)
            raise ConfigError([str(problem) for problem in ordered])

    def _rank(self, problem: Problem) -> tuple[int, int]:
        file = problem.origin.file
        return (self._sources.index(file) if file in self._sources else len(self._sources), problem.origin.line or 0)


def _with_local(merged: dict[str, Table]) -> frozenset[str]:
    """Lay what the files say of `local` over the one built in, unless they define it anew; tell whether they do not."""
    own = merged.get(LOCAL)
    kind = own.entries.get("kind") if own else None
    if own is not None and (own.entries.keys() & {"submit", "preset", "extends"} or _not_generic(kind)):
        return frozenset()
    entries = {"name": LOCAL, "kind": "Generic", "preset": LOCAL, "max_tasks": cores()}
    base = Table({key: Leaf(value, BUILT_IN) for key, value in entries.items()}, BUILT_IN)
    merged[LOCAL] = base if own is None else over(base, own)
    return frozenset([LOCAL])


def _not_generic(kind: object) -> bool:
    return isinstance(kind, Leaf) and kind.value != "Generic"


def _origins(tables: Mapping[str, Table], default: Leaf | None) -> dict[str, Origin]:
    found = {} if default is None else {"default": default.origin}
    for name, table in tables.items():
        found |= dict(leaves(table, f"backends.{name}"))
    return found
