import asyncio
import os

from crankshaft_core.cli.streaming import Relay
from crankshaft_core.errors import TransportError

CHUNK = 1 << 20


class Written:
    """What a task has written, read as a backend reads it: from a byte on, at most 1 MiB a call."""

    def __init__(self, content=b""):
        self.content = content
        self.faults = []

    async def read(self, stream, offset):
        if self.faults:
            raise self.faults.pop()
        return self.content[offset : offset + CHUNK]


async def relayed(source, stream="stdout", *, while_running=None):
    ended = asyncio.Event()
    relay = Relay(source, stream)
    task = asyncio.create_task(relay.run(ended))
    if while_running is not None:
        await while_running(relay)
    ended.set()
    await asyncio.wait_for(task, 20)
    return relay


async def test_every_byte_is_copied_also_those_that_are_no_text(capfdbinary):
    content = os.urandom(3 * CHUNK + 7)
    relay = await relayed(Written(content))
    assert capfdbinary.readouterr().out == content
    assert relay.shown == len(content)


async def test_what_is_written_is_shown_while_the_task_runs(capfdbinary):
    source = Written()

    async def running(_):
        source.content = b"one\n"
        await asyncio.sleep(0.5)
        assert capfdbinary.readouterr().out == b"one\n"
        source.content += b"two\n"

    await relayed(source, while_running=running)
    assert capfdbinary.readouterr().out == b"two\n"


async def test_standard_error_goes_to_ours(capfdbinary):
    await relayed(Written(b"oops"), "stderr")
    assert capfdbinary.readouterr() == (b"", b"oops")


async def test_a_lost_connection_repeats_and_loses_nothing(capfdbinary):
    source = Written(b"abc")
    source.faults = [TransportError("gone"), TransportError("gone")]

    async def running(_):
        while source.faults:
            await asyncio.sleep(0.05)

    await relayed(source, while_running=running)
    assert capfdbinary.readouterr() == (b"abc", b"")


async def test_an_end_that_cannot_be_read_is_said(capfdbinary):
    source = Written(b"abc")
    source.faults = [TransportError("no route to host")]
    await relayed(source)
    assert b"the end of stdout cannot be shown: no route to host" in capfdbinary.readouterr().err


async def test_a_further_attempt_is_shown_from_its_start(capfdbinary):
    source = Written(b"first attempt\n")

    async def running(relay):
        await asyncio.sleep(0.2)
        source.content = b"second\n"
        relay.start_over()

    await relayed(source, while_running=running)
    assert capfdbinary.readouterr().out == b"first attempt\nsecond\n"
