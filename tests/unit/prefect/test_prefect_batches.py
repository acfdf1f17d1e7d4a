"""Batches start when they are full, or when nothing has joined them for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from prefect_crankshaft.batches import LINGER, Batches


class Started:
    def __init__(self) -> None:
        self.batches: list[tuple[str, list[int]]] = []

    def __call__(self, kind: str, items: Sequence[int]) -> None:
        self.batches.append((kind, list(items)))


async def test_a_full_batch_starts_at_once() -> None:
    started = Started()
    batches = Batches(started)
    for item in range(5):
        batches.add("a", item, most=2)
    assert started.batches == [("a", [0, 1]), ("a", [2, 3])]


async def test_the_rest_starts_after_a_while() -> None:
    started = Started()
    Batches(started).add("a", 1, most=2)
    assert not started.batches
    await asyncio.sleep(4 * LINGER)
    assert started.batches == [("a", [1])]


async def test_kinds_are_apart() -> None:
    started = Started()
    batches = Batches(started)
    batches.add("a", 1, most=2)
    batches.add("b", 2, most=1)
    assert started.batches == [("b", [2])]
