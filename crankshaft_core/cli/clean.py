"""`crankshaft clean`: remove what finished runs have left, here and on the backends."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from crankshaft_core.backends.base import Backend, Cleaning, Leftover
from crankshaft_core.cli import exit_codes
from crankshaft_core.cli.arguments import Invocation
from crankshaft_core.cli.asking import NO_RUN, opened
from crankshaft_core.cli.terminal import print_table, say
from crankshaft_core.config import Config
from crankshaft_core.errors import BackendError, ConfigError, JournalError
from crankshaft_core.journal import Found, Stage, journals_here, old, read_journals
from crankshaft_core.units import parse_duration

__all__ = ["main"]

_HEADINGS = ("", "BACKEND", "RUN", "GIB", "WHAT", "WHY")
_HERE = "(here)"
"""Stands for a backend where journals are told of."""
_YOUNG = "its journal has changed since"


@dataclass(frozen=True, slots=True)
class _Place:
    """What a backend answered, if it could be asked. `live`: the runs of which something may be alive there."""

    backend: str
    answered: bool
    live: frozenset[str] = frozenset()
    left: Sequence[Leftover] = ()


def main(invocation: Invocation) -> int:
    """Remove, and tell what went and what stayed; NOT_OK if a backend could not be asked."""
    options = invocation.options
    config = Config.load(options.config)
    names = sorted(config.backends) if options.backend is None else [config.choose(options.backend).name]
    age = _seconds(options.older_than)
    journals = list(_read(journals_here(Path.cwd())))
    with old.held([found for found in journals if found.owner is not None or old.idle(found.path) >= age]) as taken:
        cleaning = _cleaning(options, journals, taken, age)
        places = asyncio.run(_clean(config, names, cleaning))
        own = [
            (_HERE, found)
            for journal in journals
            if cleaning.concerns(journal.run) and _is_of(journal, options.backend)
            for found in _clean_journal(journal, cleaning, places)
        ]
    _tell([*((place.backend, found) for place in places for found in place.left), *own], options)
    return exit_codes.OK if all(place.answered for place in places) else exit_codes.NOT_OK


def _seconds(text: str) -> float:
    try:
        return float(str(parse_duration(text)))
    except ValueError as error:
        raise ConfigError(f"--older-than {error}") from error


def _read(paths: Iterable[Path]) -> Iterable[Found]:
    """One that cannot be read is said, and stays: it must not keep the rest from being cleaned."""
    for path in paths:
        try:
            yield from read_journals([path])
        except JournalError as error:
            say(str(error))


def _cleaning(
    options: argparse.Namespace, journals: Sequence[Found], taken: Mapping[Path, str], age: float
) -> Cleaning:
    held = {found.run: f"its client lives: {taken[found.path]}" for found in journals if found.path in taken}
    free = [found for found in journals if found.path not in taken]
    young = {found.run: _YOUNG for found in free if old.idle(found.path) < age}
    return Cleaning(
        age,
        held={**young, **held},
        journalled=frozenset(found.run for found in free),
        only=options.run,
        dry_run=options.dry_run,
    )


async def _clean(config: Config, names: Sequence[str], cleaning: Cleaning) -> list[_Place]:
    """Ask all of them first, since two may have a work directory or a storage in common; then clean one by one."""
    async with AsyncExitStack() as stack:
        asked = [(name, await _asked(stack, config, name)) for name in names]
        live = {run: name for name, answer in asked if answer is not None for run in answer[1]}
        held = {run: f"has live jobs on {name}, or may have" for run, name in live.items()}
        cleaning = dataclasses.replace(cleaning, held={**held, **cleaning.held})
        return [await _cleaned(name, answer, cleaning) for name, answer in asked]


async def _asked(stack: AsyncExitStack, config: Config, name: str) -> tuple[Backend, frozenset[str]] | None:
    """The backend, and the runs of which something may be alive there; None if it could not be asked."""
    try:
        backend = await stack.enter_async_context(opened(config, name, NO_RUN))
        return backend, frozenset(item.job.run for item in await backend.shown())
    except (BackendError, ConfigError) as error:
        _say(name, error)
        return None


async def _cleaned(name: str, answer: tuple[Backend, frozenset[str]] | None, cleaning: Cleaning) -> _Place:
    if answer is None:
        return _Place(name, answered=False)
    backend, live = answer
    try:
        return _Place(name, True, live, await backend.clean(cleaning))
    except BackendError as error:
        _say(name, error)
        return _Place(name, answered=False)


def _say(name: str, error: Exception) -> None:
    say(f"{name}: {str(error).removeprefix(f'{name}: ')}. Nothing more of it was removed")


def _is_of(journal: Found, backend: str | None) -> bool:
    """With `--backend`, only journals that tell of nothing else."""
    return backend is None or {entry.backend for entry in journal.entries} == {backend}


def _clean_journal(journal: Found, cleaning: Cleaning, places: Sequence[_Place]) -> Iterable[Leftover]:
    idle = old.idle(journal.path)
    kept = cleaning.spares(journal.run, idle) or _why_needed(journal, places)
    size = old.size(journal.path)
    if not kept and not cleaning.dry_run:
        try:
            old.remove(journal.path)
        except OSError as error:
            kept = str(error)
    yield Leftover(f"journal {journal.path}", journal.run, size, kept, young=idle < cleaning.older_than)


def _why_needed(journal: Found, places: Collection[_Place]) -> str:
    """A journal leads to what is left of its run."""
    if any(journal.run in place.live for place in places):
        return "has live jobs"
    if any(item.run == journal.run and item.kept for place in places for item in place.left):
        return "something of its run is left"
    answered = {place.backend for place in places if place.answered}
    silent = {entry.backend for entry in journal.entries if entry.stage is not Stage.FINISHED} - answered
    return f"not all is done on {', '.join(sorted(silent))}, which could not be asked" if silent else ""


def _tell(found: Sequence[tuple[str, Leftover]], options: argparse.Namespace) -> None:
    removed = [item for _, item in found if not item.kept]
    done = "would remove" if options.dry_run else "removed"
    if options.json:
        for backend, item in found:
            sys.stdout.write(json.dumps(_facts(backend, item, done)) + "\n")
    elif rows := [_row(backend, item, done) for backend, item in found if not _is_young(item)]:
        print_table(_HEADINGS, rows)
    say(f"{done} {_things(len(removed))}, {sum(item.size or 0 for item in removed):.2f} GiB")
    young = {item.run for _, item in found if _is_young(item)}
    if young and not options.json:
        say(f"left {', '.join(sorted(young)[:5])}{' …' * (len(young) > 5)}: changed within {options.older_than}")


def _is_young(item: Leftover) -> bool:
    """It stays for no other reason than its age, of which nobody needs to read line by line."""
    return bool(item.kept) and (item.young or item.kept == _YOUNG)


def _facts(backend: str, item: Leftover, done: str) -> Mapping[str, object]:
    return {
        "action": "left" if item.kept else done,
        "backend": None if backend == _HERE else backend,
        "run": item.run,
        "what": item.what,
        "gib": item.size,
        "why": item.kept or None,
    }


def _row(backend: str, item: Leftover, done: str) -> tuple[str, ...]:
    size = "" if item.size is None else f"{item.size:.2f}"
    return ("left" if item.kept else done, backend, item.run, size, item.what, item.kept)


def _things(count: int) -> str:
    return "nothing" if not count else f"{count} thing{'s' if count > 1 else ''}"
