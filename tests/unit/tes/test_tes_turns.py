"""Turns are kept, handed on, and not lost by those who give up waiting."""

from __future__ import annotations

import asyncio

import pytest

from crankshaft_core.backends.tes.turns import Turns


class Work:
    """So many at once, and how many there were at most."""

    def __init__(self, places: int) -> None:
        self.turns = Turns(places)
        self.busy = self.most = self.done = 0

    async def one(self) -> None:
        async with self.turns:
            self.busy += 1
            self.most = max(self.most, self.busy)
            await asyncio.sleep(0)
            self.busy -= 1
            self.done += 1


@pytest.mark.parametrize("places", [1, 3])
async def test_no_more_than_allowed_are_busy_and_all_have_their_turn(places: int) -> None:
    work = Work(places)
    await asyncio.gather(*(work.one() for _ in range(50)))
    assert (work.most, work.done) == (places, 50)


async def test_who_stops_waiting_takes_no_turn_from_the_rest() -> None:
    work = Work(1)
    tasks = [asyncio.ensure_future(work.one()) for _ in range(20)]
    await asyncio.sleep(0)
    for task in tasks[1::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert work.done == 10
    await work.one()
    assert (work.done, work.most) == (11, 1)


async def test_a_turn_that_came_to_somebody_who_just_gave_up_is_handed_on() -> None:
    turns = Turns(1)
    holder = asyncio.ensure_future(turns.__aenter__())
    first, second = (asyncio.ensure_future(turns.__aenter__()) for _ in range(2))
    await asyncio.sleep(0)
    assert holder.done()
    await turns.__aexit__()  # the turn is the first one's now, who has not run yet
    first.cancel()
    await asyncio.wait_for(second, 1)
    assert first.cancelled()
