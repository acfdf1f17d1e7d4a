"""The engines of a workflow, each with its journal: this run's own, and those that killed runs left behind.

A working directory may have several Snakemakes at once, as long as they make different files; so it may have several
journals. A journal is there as long as there is something in it that Snakemake was not told of.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from crankshaft_core.backends.opening import OpenBackend
from crankshaft_core.blocking import BlockingEngine
from crankshaft_core.config import Config
from crankshaft_core.errors import CancelUnconfirmed, JournalError, JournalInUseError
from crankshaft_core.events import Subscriber
from crankshaft_core.journal import Entry, Journal

__all__ = ["Book", "Books", "Shelf", "open_shelf"]


@dataclass(frozen=True, slots=True)
class Shelf:
    """The journals of a working directory, those that nobody else uses opened. The first one is for new jobs."""

    journals: Sequence[Journal]
    in_use: Mapping[str, Sequence[Entry]]
    """By who uses it."""


@dataclass(frozen=True, slots=True)
class Book:
    """A journal and the engine that writes it."""

    journal: Journal
    engine: BlockingEngine


class Books:
    """The engines, all started. Close them."""

    def __init__(self, config: Config, shelf: Shelf, *, open_backend: OpenBackend) -> None:
        self._stack = contextlib.ExitStack()
        self._waiting = list(shelf.journals)
        self.all: list[Book] = []
        try:
            for journal in shelf.journals:
                engine = BlockingEngine(config, journal=journal, open_backend=open_backend)
                self._stack.enter_context(engine)
                self._waiting.remove(journal)
                self.all.append(Book(journal, engine))
        except BaseException:
            self.close()
            raise

    @property
    def own(self) -> Book:
        """Where new jobs go."""
        return self.all[0]

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """As the engine's."""
        ends = [book.engine.subscribe(subscriber) for book in self.all]

        def end() -> None:
            for unsubscribe in ends:
                unsubscribe()

        return end

    def cancel(self) -> None:
        """As the engine's."""
        errors = [error for book in self.all for error in _unconfirmed(book.engine)]
        if errors:
            jobs = [job for error in errors for job in error.job_ids]
            raise CancelUnconfirmed("\n".join(map(str, errors)), job_ids=jobs)

    def leave(self) -> None:
        """Let go of everything, and let what is not done run on."""
        with contextlib.closing(self):
            for book in self.all:
                book.engine.detach()

    def close(self) -> None:
        """End what is not done, and let go of everything. Raises CancelUnconfirmed."""
        with self._stack:
            for journal in self._waiting:
                journal.close()
            self._waiting.clear()


def open_shelf(directory: Path | None) -> Shelf:
    """Open the journals in `directory`, which is made; without one, a journal that nobody finds again.

    Raises JournalError for one that is damaged.
    """
    if directory is None:
        return Shelf([Journal.fresh()], {})
    in_use: dict[str, Sequence[Entry]] = {}
    with contextlib.ExitStack() as undo:
        journals = list(_left_behind(directory, in_use, undo))
        if not journals:
            journals.append(_new(directory))
        undo.pop_all()
    for empty in [journal for journal in journals[1:] if not any(journal.entries())]:
        journals.remove(empty)
        empty.close()
    return Shelf(journals, in_use)


def _left_behind(directory: Path, in_use: dict[str, Sequence[Entry]], undo: contextlib.ExitStack) -> Iterator[Journal]:
    for path in sorted(directory.glob("jobs-*.db")):
        try:
            journal = Journal.open(path, keep_empty=False)
        except JournalInUseError as error:
            in_use[str(error)] = Journal.peek(path)
        except JournalError as error:
            advice = "remove it, after ending by hand what may still run: jobs in it could be run twice"
            raise JournalError(f"{error}; {advice}") from error
        else:
            undo.callback(journal.close)
            yield journal


def _new(directory: Path) -> Journal:
    for number in itertools.count(1):
        with contextlib.suppress(JournalInUseError):
            return Journal.open(directory / f"jobs-{number}.db", keep_empty=False)
    raise AssertionError("there are as many numbers as anybody could want")


def _unconfirmed(engine: BlockingEngine) -> Iterator[CancelUnconfirmed]:
    try:
        engine.cancel()
    except CancelUnconfirmed as error:
        yield error
