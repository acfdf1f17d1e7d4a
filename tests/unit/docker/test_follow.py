"""Reading a log again and again from a time on, as the engine gives it: whole entries, not bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from crankshaft_core.backends.docker.client import DockerClient
from crankshaft_core.backends.docker.directory import TaskDirectory
from crankshaft_core.backends.docker.follow import Follower, read_piece
from crankshaft_core.backends.docker.ran import Ran, nanoseconds


class Log:
    """A log as the engine keeps it: (time, text) of each entry, given out from `since` on."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, bytes]] = []
        self.given = 0

    async def logs(self, path: str, params: dict[str, Any], sink: Callable[[int, bytes], None]) -> None:
        whole, _, fraction = str(params["since"]).partition(".")
        since = int(whole) * 10**9 + int(fraction or 0)
        for time, text in self.entries:
            if nanoseconds(time) >= since:
                self.given += 1
                sink(1, time.encode() + b" " + text)


def running(*, ended: bool = False) -> Ran:
    return Ran(name="a-1-0", labels={}, started=True, ended=ended, code=0 if ended else None, container="c")


async def catch_up(follower: Follower, log: Log, tmp_path: Path, *, ended: bool = False) -> bytes:
    directory = TaskDirectory(tmp_path)
    client = cast("DockerClient", log)
    await follower.catch_up(client, running(ended=ended), "stdout", directory, binds=True)
    return read_piece(directory.live("stdout"), 0)


async def test_entries_of_the_same_time_are_neither_lost_nor_doubled(tmp_path: Path) -> None:
    log, follower = Log(), Follower()
    same = "2026-11-22T15:25:02Z"  # Podman tells whole seconds
    log.entries = [(same, b"a\n"), (same, b"b\n")]
    assert await catch_up(follower, log, tmp_path) == b"a\nb\n"
    log.entries += [(same, b"c\n"), ("2026-11-22T15:25:03Z", b"d\n")]
    assert await catch_up(follower, log, tmp_path) == b"a\nb\nc\nd\n"


async def test_what_was_seen_is_not_asked_for_again(tmp_path: Path) -> None:
    log, follower = Log(), Follower()
    log.entries = [(f"2026-11-22T15:25:02.{number:09d}Z", b"x") for number in range(100)]
    await catch_up(follower, log, tmp_path)
    log.given = 0
    await catch_up(follower, log, tmp_path)
    assert log.given == 1


async def test_after_a_good_end_the_next_execution_is_followed(tmp_path: Path) -> None:
    log, follower = Log(), Follower()
    log.entries = [("2026-11-22T15:25:02Z", b"one\n")]
    await catch_up(follower, log, tmp_path, ended=True)
    log.entries = [("2026-11-22T15:25:01Z", b"two\n")]
    assert await catch_up(follower, log, tmp_path) == b"one\ntwo\n"
    assert follower.execution == 1


def test_a_piece_begins_at_its_offset_and_has_an_end(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(bytes(3 * 2**20))
    assert len(read_piece(tmp_path / "f", 2**20 + 1)) == 2**20


def test_of_a_file_that_is_not_there_nothing_is_read(tmp_path: Path) -> None:
    assert read_piece(tmp_path / "f", 0) == b""
