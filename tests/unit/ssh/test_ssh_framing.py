"""Frames: nothing but the script's own output gets into an answer, and nothing but a whole script is run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crankshaft_core.drivers.ssh.framing import BASH, Hello, Process, Stream, bootstrap, end_group, request
from crankshaft_core.drivers.ssh.pipes import ProcessChannel
from crankshaft_core.drivers.ssh.shell import Body, Shell

CALL = "c" * 32
KEY = "k" * 32


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@settings(deadline=None)
@given(st.binary(), st.binary(), st.integers(0, 255), st.lists(st.integers(0, 10_000), max_size=12))
def test_content_and_status_do_not_depend_on_how_the_stream_is_cut(
    chatter: bytes, content: bytes, status: int, cuts: list[int]
) -> None:
    stream = Stream(CALL)
    sent = chatter + f"{CALL} begin\n".encode() + content + f"{CALL} end {status}\n".encode()

    received = b"".join(stream.feed(piece) for piece in pieces(sent, cuts))

    assert (received, stream.status) == (content, status)


def test_another_calls_marks_are_content() -> None:
    stream = Stream(CALL)
    other = b"d" * 32 + b" begin\n" + b"d" * 32 + b" end 0\n"

    assert stream.feed(f"{CALL} begin\n".encode() + other + f"{CALL} end 7\n".encode()) == other
    assert stream.status == 7


def test_content_is_let_through_before_the_end_is_there() -> None:
    stream = Stream(CALL)
    stream.feed(f"{CALL} begin\n".encode())

    assert len(stream.feed(b"x" * 10_000)) > 9_900


@settings(deadline=None)
@given(st.lists(st.integers(0, 200), max_size=5))
def test_the_first_sign_of_life_is_found_behind_chatter(cuts: list[int]) -> None:
    hello = Hello(KEY)
    for piece in pieces(f"Welcome to the cluster\nno newline{KEY} hello 12 10 345\n".encode(), cuts):
        hello.feed(piece)

    assert hello.shell == Process(pid=12, group=10, started=345)


@pytest.fixture
def channel() -> Iterator[ProcessChannel]:
    """A bash of this machine, as a login shell would start it."""
    channel = ProcessChannel(["sh", "-c", BASH])
    yield channel
    channel.close()


@pytest.fixture
def shell(channel: ProcessChannel) -> Shell:
    shell = Shell(channel)
    shell.start(10)
    return shell


def read_to_the_end(channel: ProcessChannel) -> None:
    """The shell has ended."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            channel.receive(1)
        except EOFError:
            return
    pytest.fail("the shell lives on")


def test_a_line_without_the_key_ends_the_shell(channel: ProcessChannel, tmp_path: Path) -> None:
    channel.send(bootstrap(KEY), timeout=5)

    channel.send(f"touch {tmp_path}/wrong\ntouch {tmp_path}/wrong\n".encode(), timeout=5)

    read_to_the_end(channel)
    assert list(tmp_path.iterdir()) == []


def test_half_a_script_is_not_run(channel: ProcessChannel, tmp_path: Path) -> None:
    script = f"touch {tmp_path}/wrong\n".encode()
    frame = request(KEY, CALL, script=script + b"# the rest never comes", stdin_size=0)
    channel.send(bootstrap(KEY), timeout=5)

    channel.send(frame[: frame.index(b"# the")], timeout=5)
    channel._pipes[0].close()

    read_to_the_end(channel)
    assert list(tmp_path.iterdir()) == []


def test_what_a_file_holds_is_never_run_when_its_transfer_goes_wrong(channel: ProcessChannel, tmp_path: Path) -> None:
    """`head`, which passes standard input on, is killed before it has taken all of it."""
    commands = f"touch {tmp_path}/wrong\n".encode() * 50_000
    channel.send(bootstrap(KEY), timeout=5)
    channel.send(request(KEY, CALL, script=b"sleep 0.2; pkill -KILL -P $$ head", stdin_size=len(commands)), timeout=5)

    with pytest.raises(ConnectionError):  # the shell ends at the first line of it
        channel.send(commands, timeout=5)

    assert list(tmp_path.iterdir()) == []


def test_a_shell_tells_its_process_group(shell: Shell) -> None:
    told = shell.run("ps -o pgid= -p $$", timeout=10).stdout

    assert shell.process.group == int(told)


def test_a_shell_can_be_ended_from_another_one(shell: Shell, channel: ProcessChannel) -> None:
    other = ProcessChannel(["sh", "-c", BASH])
    try:
        second = Shell(other)
        second.start(10)
        second.run(end_group(shell.process), timeout=10)
        read_to_the_end(channel)
    finally:
        other.close()


def test_another_process_with_the_same_pid_is_left_alone(shell: Shell) -> None:
    other = ProcessChannel(["sh", "-c", BASH])
    try:
        second = Shell(other)
        second.start(10)
        later = Process(shell.process.pid, shell.process.group, shell.process.started + 1)
        second.run(end_group(later), timeout=10)
    finally:
        other.close()

    assert shell.run("echo alive", timeout=10).stdout == b"alive\n"


def test_the_body_of_a_call_may_fail_here(shell: Shell) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"x" * 50_000
        raise FileNotFoundError("gone")

    call = shell.call("cat", body=Body(100_000, chunks()), timeout=10)

    with pytest.raises(FileNotFoundError, match="gone"):
        list(call.stdout())


def test_a_call_ends_at_its_deadline(shell: Shell) -> None:
    begun = time.monotonic()

    with pytest.raises(TimeoutError):
        shell.run("sleep 20", timeout=0.3)

    assert time.monotonic() - begun < 3


def test_a_call_ends_at_its_deadline_while_its_stdin_is_sent(shell: Shell) -> None:
    with pytest.raises(TimeoutError):
        shell.run("sleep 20", stdin=bytes(5_000_000), timeout=0.3)
