import asyncio
import os

import pytest

from crankshaft_core.cli.pipes import write_all


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    ends = {reading, writing}

    def close(end):
        ends.discard(end)
        os.close(end)

    yield reading, writing, close
    for end in ends:
        os.close(end)


async def test_all_of_it_arrives_through_a_pipe_that_is_full_for_long(pipe):
    reading, writing, _ = pipe
    data = os.urandom(300_000)
    task = asyncio.create_task(write_all(writing, data))
    got = b""
    while len(got) < len(data):
        await asyncio.sleep(0)
        got += await asyncio.to_thread(os.read, reading, 1000)
    await task
    assert got == data


async def test_a_reader_that_pauses_does_not_hold_the_loop_up(pipe):
    _, writing, _ = pipe
    task = asyncio.create_task(write_all(writing, bytes(1_000_000)))
    loop = asyncio.get_running_loop()
    start = loop.time()
    for _ in range(20):
        await asyncio.sleep(0.005)
    assert loop.time() - start < 2
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_descriptor_stays_blocking_for_those_who_share_it(pipe):
    _, writing, _ = pipe
    await write_all(writing, b"x")
    assert os.get_blocking(writing)


async def test_a_reader_that_goes_away_is_told(pipe):
    reading, writing, close = pipe
    task = asyncio.create_task(write_all(writing, bytes(1_000_000)))
    await asyncio.sleep(0.01)
    close(reading)
    with pytest.raises(BrokenPipeError):
        await task


async def test_a_file_takes_everything(tmp_path):
    data = os.urandom(3_000_000)
    with (tmp_path / "f").open("wb") as file:
        await write_all(file.fileno(), data)
    assert (tmp_path / "f").read_bytes() == data


async def test_a_device_that_cannot_be_waited_for_is_written_to():
    with open(os.devnull, "wb") as nowhere:
        await write_all(nowhere.fileno(), b"x" * 10_000)
