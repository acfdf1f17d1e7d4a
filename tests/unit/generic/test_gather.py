"""Calls that travel together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from crankshaft_core.backends.generic.gather import Allowance, Gather
from crankshaft_core.errors import BackendError, TransportError


class Trips:
    """Answers each item with its double, and notes what travelled together."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    async def __call__(self, batch: Sequence[int]) -> Sequence[int | BackendError]:
        self.batches.append(list(batch))
        await asyncio.sleep(0.01)
        return [TransportError("unlucky") if item == 13 else 2 * item for item in batch]


async def test_calls_of_one_moment_travel_together() -> None:
    trips = Trips()
    gather = Gather(trips, most=50)
    assert await asyncio.gather(*(gather(item) for item in range(5))) == [0, 2, 4, 6, 8]
    assert trips.batches == [[0, 1, 2, 3, 4]]


async def test_calls_that_come_while_one_is_under_way_wait_for_the_next() -> None:
    trips = Trips()
    gather = Gather(trips, most=50)
    first = asyncio.ensure_future(gather(1))
    await asyncio.sleep(0.005)
    await asyncio.gather(first, gather(2), gather(3))
    assert trips.batches == [[1], [2, 3]]


async def test_as_many_trips_as_may_are_under_way() -> None:
    under_way: list[int] = []

    async def slow(batch: Sequence[int]) -> Sequence[int | BackendError]:
        under_way.append(len(under_way) + 1)
        await asyncio.sleep(0.01)
        return batch

    gather = Gather(slow, most=1, trips=2)
    calls = [asyncio.ensure_future(gather(item)) for item in range(3)]
    await asyncio.sleep(0.005)
    assert (under_way, gather.waiting) == ([1, 2], 1)
    assert await asyncio.gather(*calls) == [0, 1, 2]


async def test_no_batch_is_larger_than_it_may_be() -> None:
    trips = Trips()
    gather = Gather(trips, most=2)
    await asyncio.gather(*(gather(item) for item in range(5)))
    assert trips.batches == [[0, 1], [2, 3], [4]]


async def test_an_error_reaches_only_the_call_that_it_is_about() -> None:
    gather = Gather(Trips(), most=50)
    answers = await asyncio.gather(gather(12), gather(13), return_exceptions=True)
    assert answers[0] == 24
    assert isinstance(answers[1], TransportError)


async def test_an_error_of_the_trip_reaches_everybody() -> None:
    async def broken(_: Sequence[int]) -> Sequence[int | BackendError]:
        raise TransportError("no route")

    gather = Gather(broken, most=50)
    answers = await asyncio.gather(gather(1), gather(2), return_exceptions=True)
    assert [str(answer) for answer in answers] == ["no route", "no route"]


async def test_a_caller_that_gives_up_does_not_stop_the_others() -> None:
    gather = Gather(Trips(), most=50)
    first, second = asyncio.ensure_future(gather(1)), asyncio.ensure_future(gather(2))
    await asyncio.sleep(0.005)
    first.cancel()
    assert await second == 4


async def test_a_rate_is_kept() -> None:
    trips = Trips()
    gather = Gather(trips, most=50, allowance=Allowance(100.0, burst=3))
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await asyncio.gather(*(gather(item) for item in range(8)))
    assert trips.batches[0] == [0, 1, 2]
    assert loop.time() - begun >= 0.03


@pytest.mark.parametrize(("after", "taken"), [(0.0, 0), (0.5, 5), (100.0, 10)])
def test_an_allowance_fills_up_to_its_burst(after: float, taken: int) -> None:
    now = [0.0]
    allowance = Allowance(10.0, burst=10, clock=lambda: now[0])
    assert allowance.take(10) == 10
    now[0] = after
    assert allowance.take(50) == taken


def test_an_allowance_tells_how_long_to_wait() -> None:
    allowance = Allowance(10.0, burst=1, clock=lambda: 0.0)
    allowance.take(1)
    assert allowance.wait == pytest.approx(0.1)
