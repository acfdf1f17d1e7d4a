"""Task runs on the runner's loop: many that begin do not hold up others, and each one's end is told."""

from __future__ import annotations

import asyncio
import threading
from contextvars import copy_context

from prefect_crankshaft.loop_thread import LoopThread
from prefect_crankshaft.turns import Turns


async def test_others_have_rounds_between_those_that_begin() -> None:
    turns, seen = Turns(), list[str]()

    async def begin(name: str) -> None:
        await turns.turn()
        seen.append(name)
        asyncio.get_running_loop().call_soon(seen.append, f"after {name}")

    await asyncio.gather(*(begin(name) for name in "abc"))
    await asyncio.sleep(0)
    assert seen == ["a", "after a", "b", "after b", "c", "after c"]


async def test_one_that_is_cancelled_lets_the_next_begin() -> None:
    turns = Turns()
    first, second = (asyncio.ensure_future(turns.turn()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert first.cancelled()


def test_the_end_is_told_of_what_was_cancelled_before_it_began() -> None:
    thread, ended, begun = LoopThread("test"), threading.Event(), threading.Event()

    async def work() -> None:
        begun.set()

    def start_and_cancel() -> None:
        thread.start(work(), context=copy_context(), ended=ended.set)
        thread.cancel_all()

    thread.loop.call_soon_threadsafe(start_and_cancel)  # both are in the queue before either is run
    assert ended.wait(30)
    thread.close()
    assert not begun.is_set()
