"""The journal of one run: an SQLite file beside a lock, written in batches off the event loop.

It holds keys, ids, states and outcomes; never a variable's value, a command or a file's content.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
import sqlite3
import string
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import platformdirs

from crankshaft_core.errors import JournalError
from crankshaft_core.journal.filesystem import is_local
from crankshaft_core.journal.lock import OwnerLock

__all__ = ["Entry", "Journal", "Stage"]

_log = logging.getLogger(__name__)

_VERSION = 1
_SCHEMA = """
create table meta (name text primary key, value text not null);
create table attempts (
  id integer primary key, attempt text not null, task integer not null, number integer not null, key text,
  backend text not null, name text not null, job text, stage text not null, outcome text, written real not null
);
"""
_PUT = """
insert into attempts (id, attempt, task, number, key, backend, name, job, stage, outcome, written)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict (id) do update set job = excluded.job, stage = excluded.stage, outcome = excluded.outcome,
  written = excluded.written
"""
_COUNT = """
insert into meta (name, value) select 'tasks', coalesce(max(task), 0) from attempts where true
on conflict (name) do update set value = max(cast(value as integer), cast(excluded.value as integer))
"""
"""Task numbers in use, before some are forgotten: none is given twice in a run, since attempts are named by them."""
_LAST = """
select max((select coalesce(max(task), 0) from attempts),
  coalesce((select cast(value as integer) from meta where name = 'tasks'), 0))
"""
_COLUMNS = "attempt, task, number, key, backend, name, job, stage, outcome, written"


class Stage(StrEnum):
    """How far an attempt has come. A killed client leaves it where it was."""

    INTENDED = "intended"
    """About to be submitted: it may or may not run."""
    SUBMITTED = "submitted"
    """The system has it, under `job`."""
    ENDED = "ended"
    """Its outcome is known; its outputs are not all here yet."""
    FINISHED = "finished"
    """Nothing is left to do for it."""


class Entry(NamedTuple):
    """One attempt, as it stands in the journal. `outcome` is JSON, with the exit codes and the system's words."""

    attempt: str
    task: int
    number: int
    key: str | None
    backend: str
    name: str
    job: str | None
    stage: Stage
    outcome: str | None = None
    written: float = 0.0
    """When, in seconds since the epoch."""


class Journal:
    """Opened by `Journal.open` or `Journal.fresh`; `put` notes an entry, `commit` waits until all noted ones are kept.

    Calls are made on one event loop, but for `latest` and `forget`; the file is written by a thread of its own, all
    waiting entries at once.
    """

    def __init__(
        self,
        path: Path,
        lock: OwnerLock,
        database: sqlite3.Connection,
        *,
        temporary: bool = False,
        keep_empty: bool = True,
    ) -> None:
        self.path = path
        self._lock = lock
        self._database = database
        self._temporary = temporary
        self._keep_empty = keep_empty
        self._noted: list[Entry] = []
        self._written: asyncio.Future[None] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="crankshaft-journal")
        self._latest = {entry.key: entry for entry in self.entries() if entry.key is not None}
        self.run_id = str(database.execute("select value from meta where name = 'run'").fetchone()[0])

    @classmethod
    def open(cls, path: str | Path, *, temporary: bool = False, keep_empty: bool = True) -> Journal:
        """Open or create the journal at `path`, and own it until `close`.

        Raises JournalInUseError if another process owns it, JournalError if it is no journal of this version. A
        `temporary` journal is removed at `close` when nothing in it is left undone, and where `keep_empty` is False
        one that holds no entry.
        """
        path = Path(path).absolute()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = OwnerLock(path.with_name(path.name + ".lock"))
        except OSError as error:
            raise JournalError(f"{path}: cannot keep a journal here: {error.strerror}") from error
        try:
            return cls(path, lock, _database(path), temporary=temporary, keep_empty=keep_empty)
        except BaseException:
            lock.close()
            raise

    @classmethod
    def fresh(cls) -> Journal:
        """A temporary journal in the user's state directory, for a run that named none."""
        return cls.open(platformdirs.user_state_path("crankshaft") / "runs" / f"{_new_run_id()}.db", temporary=True)

    @classmethod
    def peek(cls, path: str | Path) -> list[Entry]:
        """The entries of a journal that another process may own, as far as they are in the file. Changes nothing.

        Raises JournalError where they cannot be read.
        """
        return [_entry(row) for row in _peeked(Path(path), f"select {_COLUMNS} from attempts")]  # noqa: S608 - a constant

    @classmethod
    def run_of(cls, path: str | Path) -> str:
        """The id of the run whose journal it is. Changes nothing. Raises JournalError as `peek`."""
        return "".join(str(row[0]) for row in _peeked(Path(path), "select value from meta where name = 'run'"))

    def entries(self) -> Iterator[Entry]:
        """All attempts, in the order of their tasks and numbers."""
        for row in self._database.execute(f"select {_COLUMNS} from attempts order by task, number"):  # noqa: S608 - a constant
            yield _entry(row)

    def latest(self, key: str) -> Entry | None:
        """The last attempt of the task with this key."""
        return self._latest.get(key)

    def next_task(self) -> int:
        """The first task number this journal has not used."""
        return int(self._database.execute(_LAST).fetchone()[0]) + 1

    def put(self, entry: Entry) -> None:
        """Note the entry; it is kept once `commit` returns, or soon after."""
        self._noted.append(entry)
        if entry.key is not None:
            self._latest[entry.key] = entry
        self._start_writing()

    async def commit(self) -> None:
        """Return when all that was noted so far is on the disk's side of the kernel. Raises JournalError if not."""
        if self._written is None:
            self._written = asyncio.get_running_loop().create_future()
            self._start_writing()
        await self._written

    def forget(self, keys: Sequence[str]) -> None:
        """Drop the entries of these keys, so that a later task of the same key runs anew. From any thread.

        Only of tasks that are done: what is noted of them later stays. They are gone from the file soon after.
        """
        for key in keys:
            self._latest.pop(key, None)
        if keys:
            self._executor.submit(self._delete, tuple(keys)).add_done_callback(self._deleted)

    async def aclose(self) -> None:
        """Keep what was noted, then let go of the file."""
        while self._writer is not None and not self._writer.done():
            await self._writer
        self.close()

    def close(self) -> None:
        """Let go of the file; one that is of no further use is removed."""
        self._executor.shutdown()
        has_rows = self._database.execute("select 1 from attempts limit 1").fetchone() is not None
        undone = self._database.execute("select 1 from attempts where stage != ? limit 1", (Stage.FINISHED,)).fetchone()
        self._database.close()
        if self._temporary and undone is None:
            self.path.with_name(self.path.name + ".lock").unlink(missing_ok=True)
            self.path.unlink(missing_ok=True)
        elif not has_rows and not self._keep_empty:
            self.path.unlink(missing_ok=True)  # the lock's file stays: its name may be waited for
        self._lock.close()

    def _start_writing(self) -> None:
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        """Write batch after batch until nothing is noted; those who wait for a batch share its future."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0)  # so that tasks woken in the same turn travel in the same batch
        while self._noted or self._written is not None:
            batch, self._noted = self._noted, []
            waiting, self._written = self._written, None
            try:
                if batch:
                    await loop.run_in_executor(self._executor, self._insert, batch)
            except sqlite3.Error as error:
                _settle(waiting, JournalError(f"{self.path}: cannot be written: {error}"))
            else:
                _settle(waiting, None)

    def _insert(self, batch: list[Entry]) -> None:
        now = time.time()
        latest = {(entry.task, entry.number): entry for entry in batch}
        rows = [(_id(entry), *entry[:7], entry.stage.value, entry.outcome, now) for entry in latest.values()]
        with self._database:
            self._database.executemany(_PUT, rows)

    def _delete(self, keys: Sequence[str]) -> None:
        with self._database:
            self._database.execute(_COUNT)
            self._database.executemany("delete from attempts where key = ?", [(key,) for key in keys])

    def _deleted(self, deletion: Future[None]) -> None:
        """Entries that stay are no harm to a run: only this file does not get smaller."""
        if error := deletion.exception():
            _log.warning("%s: cannot be made smaller: %s", self.path, error)


def _id(entry: Entry) -> int:
    """A number that grows with the task, so that rows are appended: engines give no task 4096 attempts."""
    return entry.task << 12 | entry.number


def _settle(waiting: asyncio.Future[None] | None, error: JournalError | None) -> None:
    if waiting is None or waiting.done():
        return
    if error is None:
        waiting.set_result(None)
    else:
        waiting.set_exception(error)


def _peeked(path: Path, query: str) -> list[tuple[object, ...]]:
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            return database.execute(query).fetchall()
    except sqlite3.Error as error:
        raise JournalError(f"{path}: not a journal that can be read: {error}") from error


def _database(path: Path) -> sqlite3.Connection:
    try:
        database = sqlite3.connect(path, check_same_thread=False, timeout=30)
        path.chmod(0o600)
        database.execute("pragma journal_mode = wal" if is_local(path.parent) else "pragma journal_mode = delete")
        database.execute("pragma synchronous = normal")
        _prepare(database, path)
    except sqlite3.Error as error:
        raise JournalError(f"{path}: not a journal that can be read: {error}") from error
    return database


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    version = database.execute("pragma user_version").fetchone()[0]
    if version == _VERSION:
        return
    if version != 0 or database.execute("select 1 from sqlite_master").fetchone():
        database.close()
        raise JournalError(f"{path}: a journal of version {version}; this Crankshaft reads version {_VERSION}")
    with database:
        database.executescript(f"begin; {_SCHEMA} pragma user_version = {_VERSION}; commit;")
        values = [("run", _new_run_id()), ("created", json.dumps(time.time()))]
        database.executemany("insert into meta values (?, ?)", values)


def _new_run_id(choice: Callable[[str], str] = secrets.choice) -> str:
    """A letter and six more, so that `<run>-<task>-<number>` stays within the 15 characters of a PBS job name."""
    return choice(string.ascii_lowercase) + "".join(choice(string.ascii_lowercase + string.digits) for _ in range(6))


def _entry(row: tuple[object, ...]) -> Entry:
    attempt, task, number, key, backend, name, job, stage, outcome, written = row
    return Entry(
        attempt=str(attempt),
        task=int(str(task)),
        number=int(str(number)),
        key=None if key is None else str(key),
        backend=str(backend),
        name=str(name),
        job=None if job is None else str(job),
        stage=Stage(str(stage)),
        outcome=None if outcome is None else str(outcome),
        written=float(str(written)),
    )
