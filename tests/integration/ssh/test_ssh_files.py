"""Files to and from a real sshd, the same for both clients."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import time
from pathlib import Path

import pytest

from crankshaft_core.drivers.ssh import SSHDriver
from crankshaft_core.errors import AnswerLostError, StagingError
from tests.integration.ssh.conftest import OpenDriver, StartServer
from tests.integration.ssh.delay import delaying_proxy
from tests.integration.ssh.server import Server, wait_until

NASTY_NAMES = ["two words", "new\nline", "'quote\"", "-rf", "$HOME", "~", "*", "back\\slash", ".hidden", "é", "a" * 255]


def write_many(folder: Path, count: int) -> dict[str, bytes]:
    """Files in folders, one of them empty; what is in them."""
    content = {f"{number % 7}/file {number}": os.urandom(number * 37) for number in range(count)}
    for name, data in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "empty folder").mkdir(parents=True)
    return content


def read_all(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """Where the server puts files; not there yet."""
    return tmp_path / "there" / "deep"


async def test_a_binary_file_arrives_byte_for_byte(driver: SSHDriver, here: Path, there: Path) -> None:
    data = bytes(range(256)) * 1000 + b"\n"
    (here / "file").write_bytes(data)

    await driver.put({here / "file": f"{there}/file"})

    assert (there / "file").read_bytes() == data


async def test_a_binary_file_is_fetched_byte_for_byte(driver: SSHDriver, here: Path, there: Path) -> None:
    data = bytes(range(256)) * 1000 + b"\n"
    there.mkdir(parents=True)
    (there / "file").write_bytes(data)

    await driver.get({f"{there}/file": here / "new" / "file"})

    assert (here / "new" / "file").read_bytes() == data


async def test_200_files_of_a_directory_arrive(driver: SSHDriver, here: Path, there: Path) -> None:
    content = write_many(here / "tree", 200)

    await driver.put({here / "tree": f"{there}/tree"})

    assert read_all(there / "tree") == content
    assert (there / "tree" / "empty folder").is_dir()


async def test_200_files_of_a_directory_are_fetched(driver: SSHDriver, here: Path, there: Path) -> None:
    content = write_many(there / "tree", 200)

    await driver.get({f"{there}/tree": here / "tree"})

    assert read_all(here / "tree") == content
    assert (here / "tree" / "empty folder").is_dir()


async def test_200_single_files_go_there_and_back(driver: SSHDriver, here: Path, there: Path) -> None:
    sources = {}
    for number in range(200):
        (here / f"{number}").write_bytes(os.urandom(number))
        sources[here / f"{number}"] = f"{there}/{number % 3}/{number}"

    await driver.put(sources)
    await driver.get({target: here / "back" / source.name for source, target in sources.items()})

    assert read_all(here / "back") == {source.name: source.read_bytes() for source in sources}


async def test_nasty_names_go_there_and_back(driver: SSHDriver, here: Path, there: Path) -> None:
    names = [*NASTY_NAMES, os.fsdecode(b"not utf-8 \xff")]
    for number, name in enumerate(names):
        (here / name).write_text(str(number))

    await driver.put({here / name: f"{there}/{name}" for name in names})
    await driver.get({f"{there}/{name}": here / "back" / name for name in names})

    assert read_all(there) == {name: str(number).encode() for number, name in enumerate(names)}
    assert read_all(here / "back") == read_all(there)


async def test_a_relative_path_starts_at_the_home_directory(driver: SSHDriver, here: Path) -> None:
    (here / "file").write_text("content")
    name = f"crankshaft-test-{os.getpid()}"
    home = (await driver.run("pwd")).stdout.decode().strip()
    try:
        await driver.put({here / "file": f"{name}/-file"})
        await driver.get({f"{name}/-file": here / "back"})
    finally:
        await driver.run(f"rm -r ./{name}")

    assert home
    assert (here / "back").read_text() == "content"


async def test_permission_to_execute_is_kept(driver: SSHDriver, here: Path, there: Path) -> None:
    (here / "script").write_text("#!/bin/sh\n")
    (here / "script").chmod(0o700)

    await driver.put({here / "script": f"{there}/script"})
    await driver.get({f"{there}/script": here / "back"})

    assert (there / "script").stat().st_mode & stat.S_IXUSR
    assert (here / "back").stat().st_mode & stat.S_IXUSR


async def test_what_a_link_points_to_is_copied(driver: SSHDriver, here: Path, there: Path) -> None:
    (here / "file").write_text("content")
    (here / "link").symlink_to("file")

    await driver.put({here / "link": f"{there}/copy"})
    (there / "link").symlink_to("copy")
    os.link(there / "copy", there / "hard")
    await driver.get({f"{there}/{name}": here / "back" / name for name in ("copy", "link", "hard")})

    assert not (there / "copy").is_symlink()
    assert read_all(here / "back") == dict.fromkeys(("copy", "link", "hard"), b"content")


async def test_an_older_file_is_replaced(driver: SSHDriver, here: Path, there: Path) -> None:
    (here / "file").write_text("new")
    there.mkdir(parents=True)
    (there / "file").write_text("much longer and old")

    await driver.put({here / "file": f"{there}/file"})

    assert (there / "file").read_text() == "new"


async def test_nothing_is_left_beside_the_files(driver: SSHDriver, here: Path, there: Path) -> None:
    (here / "file").write_text("content")

    await driver.put({here / "file": f"{there}/file"})
    await driver.get({f"{there}/file": here / "back"})

    assert (os.listdir(there), sorted(os.listdir(here))) == (["file"], ["back", "file"])


async def test_a_missing_file_here_is_named(driver: SSHDriver, here: Path, there: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        await driver.put({here / "nothing": f"{there}/file"})

    assert caught.value.filename == str(here / "nothing")
    assert not there.exists()


async def test_a_missing_file_there_is_named(driver: SSHDriver, here: Path, there: Path) -> None:
    there.mkdir(parents=True)
    (there / "file").write_text("content")
    with pytest.raises(FileNotFoundError) as caught:
        await driver.get({f"{there}/file": here / "file", f"{there}/no\nthing": here / "nothing"})

    assert caught.value.filename == f"{there}/no\nthing"
    assert os.listdir(here) == []


async def test_what_the_other_side_says_is_reported(driver: SSHDriver, here: Path, there: Path) -> None:
    there.parent.mkdir(parents=True)
    there.write_text("a file where a directory should be")
    (here / "file").write_bytes(os.urandom(5_000_000))

    with pytest.raises(StagingError, match=r"^\S+@login: mkdir: .*(Not a directory|File exists)"):
        await driver.put({here / "file": f"{there}/file"})
    assert (await driver.run("echo on")).stdout == b"on\n"


async def test_a_place_without_room_keeps_no_part_of_a_file(
    start_server: StartServer, client: str, open_driver: OpenDriver, here: Path, there: Path, tmp_path: Path
) -> None:
    """Room is what `ulimit` leaves, since a test cannot fill a disk."""
    (tmp_path / "limits").write_text("ulimit -f 20\n")
    server = start_server(SetEnv=f"BASH_ENV={tmp_path}/limits")
    driver = open_driver(server.settings(client=client))
    (here / "small").write_text("content")
    (here / "large").write_bytes(os.urandom(100_000))
    there.mkdir(parents=True)

    with pytest.raises(StagingError, match=r"[Ff]ile (size limit exceeded|too large)"):
        await driver.put({here / name: f"{there}/{name}" for name in ("small", "large")})

    assert os.listdir(there) == []


async def test_a_connection_lost_in_the_middle_leaves_the_old_file_whole(
    start_server: StartServer, client: str, open_driver: OpenDriver, here: Path, there: Path, tmp_path: Path
) -> None:
    server = start_server()
    there.mkdir(parents=True)
    (there / "file").write_text("old")
    with (here / "file").open("wb") as file:
        file.truncate(200_000_000)
    driver = open_driver(server.settings(client=client))
    sending = asyncio.create_task(driver.put({here / "file": f"{there}/file"}))
    await asyncio.to_thread(wait_until, lambda: len(list(there.glob(".ck-*/*"))) == 1, "the beginning")
    server.hang_up()

    with pytest.raises(AnswerLostError):
        await sending
    await asyncio.to_thread(wait_until, lambda: os.listdir(there) == ["file"], "the clean-up")
    assert (there / "file").read_text() == "old"


async def test_a_file_that_shrinks_while_it_is_sent_does_not_arrive(driver: SSHDriver, here: Path, there: Path) -> None:
    with (here / "file").open("wb") as file:
        file.truncate(300_000_000)
    sending = asyncio.create_task(driver.put({here / "file": f"{there}/file"}))
    await asyncio.to_thread(wait_until, lambda: len(list(there.glob(".ck-*/*"))) == 1, "the beginning")
    os.truncate(here / "file", 10)

    with pytest.raises(OSError, match="became shorter"):
        await sending
    await asyncio.to_thread(wait_until, lambda: os.listdir(there) == [], "the clean-up")
    assert (await driver.run("echo on")).stdout == b"on\n"


async def test_a_fetch_that_breaks_off_leaves_the_old_file_whole(
    start_server: StartServer, client: str, open_driver: OpenDriver, here: Path, there: Path
) -> None:
    server = start_server()
    there.mkdir(parents=True)
    with (there / "file").open("wb") as file:
        file.truncate(300_000_000)
    (here / "file").write_text("old")
    driver = open_driver(server.settings(client=client))
    fetching = asyncio.create_task(driver.get({f"{there}/file": here / "file"}))
    await asyncio.to_thread(wait_until, lambda: len(list(here.glob(".ck-*"))) == 1, "the beginning")
    server.hang_up()

    with pytest.raises(AnswerLostError):
        await fetching
    assert os.listdir(here) == ["file"]
    assert (here / "file").read_text() == "old"


async def test_a_log_that_is_still_written_can_be_fetched(driver: SSHDriver, here: Path, there: Path) -> None:
    there.mkdir(parents=True)
    writer = await asyncio.create_subprocess_shell(f"while :; do echo line; done >{there}/log", start_new_session=True)
    await asyncio.to_thread(
        wait_until, lambda: (there / "log").exists() and (there / "log").stat().st_size > 0, "a line"
    )
    try:
        for _ in range(5):
            await driver.get({f"{there}/log": here / "log"})
    finally:
        os.killpg(writer.pid, 9)
        await writer.wait()

    assert (here / "log").read_text().startswith("line\n")


async def test_a_fifo_is_no_file_to_send(driver: SSHDriver, here: Path, there: Path) -> None:
    os.mkfifo(here / "fifo")

    with pytest.raises(ValueError, match="neither a file nor a directory"):
        await driver.put({here / "fifo": f"{there}/file"})


async def test_a_socket_in_a_directory_there_is_passed_over(
    driver: SSHDriver, here: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.mkdir(parents=True)
    (there / "file").write_text("content")
    os.mkfifo(there / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(there)  # the path of a socket has to be short
        listener.bind("socket")

        await driver.get({str(there): here / "back"})

    assert read_all(here / "back") == {"file": b"content"}


async def test_50_megabytes_each_way_take_seconds(driver: SSHDriver, here: Path, there: Path) -> None:
    (here / "file").write_bytes(os.urandom(1_000_000) * 50)
    begun = time.monotonic()

    await driver.put({here / "file": f"{there}/file"})
    await driver.get({f"{there}/file": here / "back"})

    assert (here / "back").read_bytes() == (here / "file").read_bytes()
    assert time.monotonic() - begun < 60


async def test_200_files_cost_a_few_round_trips(
    server: Server, client: str, open_driver: OpenDriver, here: Path, there: Path, tmp_path: Path
) -> None:
    write_many(here / "tree", 200)

    async def seconds(delay: float) -> float:
        with delaying_proxy(server.port, seconds=delay) as port:
            known = tmp_path / "known_hosts"
            known.write_text(server.known_hosts.read_text().replace(str(server.port), str(port)))
            driver = open_driver(server.settings(client=client, port=port, known_hosts=str(known)))
            await driver.get({"/etc/hostname": here / "warm"})  # opens the channel
            begun = time.monotonic()
            await driver.put({here / "tree": f"{there}/tree{port}"})
            took = time.monotonic() - begun
            await driver.aclose()
        return took

    assert (await seconds(0.1) - await seconds(0.0)) / 0.2 < 6
