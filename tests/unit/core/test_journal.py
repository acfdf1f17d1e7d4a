"""What a journal forgets, and what it leaves behind."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from crankshaft_core.errors import JournalError, JournalInUseError
from crankshaft_core.journal import Entry, Journal, Stage


def entry(task: int, *, key: str = "k", stage: Stage = Stage.FINISHED) -> Entry:
    return Entry(f"r-{task}-1", task, 1, key, "m", "align", "job-7", stage)


def keep(journal: Journal, *entries: Entry) -> None:
    """Write the entries, and let go of the journal."""

    async def write() -> None:
        for item in entries:
            journal.put(item)
        await journal.commit()
        await journal.aclose()

    asyncio.run(write())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal.db"
    keep(Journal.open(path), entry(1, key="a"), entry(2, key="b"), entry(3, key="b"))
    return path


def test_forgotten_keys_are_not_known_any_more(path: Path) -> None:
    journal = Journal.open(path)
    journal.forget(["b"])
    assert journal.latest("b") is None
    assert journal.latest("a") is not None
    journal.close()


def test_forgotten_keys_are_in_the_file_no_longer(path: Path) -> None:
    journal = Journal.open(path)
    journal.forget(["b"])
    journal.close()
    journal = Journal.open(path)
    assert [item.key for item in journal.entries()] == ["a"]
    journal.close()


def test_the_number_of_a_forgotten_task_is_given_to_no_other(path: Path) -> None:
    for _ in range(2):
        journal = Journal.open(path)
        journal.forget(["a", "b"])
        journal.close()
    journal = Journal.open(path)
    assert journal.next_task() == 4
    journal.close()


def test_an_empty_journal_is_removed_where_that_is_wanted(path: Path) -> None:
    journal = Journal.open(path, keep_empty=False)
    journal.forget(["a", "b"])
    journal.close()
    assert not path.exists()


def test_a_journal_with_a_finished_task_in_it_is_not_empty(path: Path) -> None:
    Journal.open(path, keep_empty=False).close()
    assert path.exists()


def test_a_file_that_cannot_be_made_smaller_is_said(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal.open(path)
    with sqlite3.connect(path) as other:
        other.execute("drop table attempts")
    other.close()
    journal.forget(["a"])
    with pytest.raises(sqlite3.Error):
        journal.close()
    assert "cannot be made smaller: no such table" in caplog.text


def test_an_owned_journal_is_told_from_a_damaged_one(path: Path) -> None:
    journal = Journal.open(path)
    with pytest.raises(JournalInUseError, match="in use by process"):
        Journal.open(path)
    journal.close()


def test_another_process_may_look_into_an_owned_journal(path: Path) -> None:
    journal = Journal.open(path)
    assert [item.key for item in Journal.peek(path)] == ["a", "b", "b"]
    journal.close()


def test_what_is_no_journal_cannot_be_looked_into(tmp_path: Path) -> None:
    (tmp_path / "j.db").write_text("not a database at all, but a long enough text to be looked at as one")
    with pytest.raises(JournalError, match="not a journal that can be read"):
        Journal.peek(tmp_path / "j.db")
