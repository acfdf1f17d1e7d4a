"""What ended jobs leave on a system is tidied up by the time the engine is closed, or it is said."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from crankshaft_core.backends.base import Job
from crankshaft_core.backends.memory import MemoryBackend, System
from crankshaft_core.engine import Engine
from crankshaft_core.errors import TransportError
from crankshaft_core.journal import Journal
from crankshaft_core.task import Verdict
from tests.unit.engine.conftest import QUICK, StartEngine, config, task


async def test_a_release_that_the_closing_interrupts_is_made_up_for(system: System, tmp_path: Path) -> None:
    class Slow(MemoryBackend):
        async def release(self, ended: Mapping[Job, Verdict]) -> None:
            entered.set()
            await asyncio.sleep(0.05)
            await super().release(ended)

    entered = asyncio.Event()
    system.instant = True
    journal = Journal.open(tmp_path / "j")
    async with Engine(config(), journal=journal, open_backend=lambda _, run_id: Slow(system, cadence=QUICK)) as engine:
        await engine.run("m", task())
        await entered.wait()
    assert system.records == {}


async def test_a_release_that_fails_when_closing_is_tried_again(start: StartEngine, system: System) -> None:
    system.instant = True
    async with start() as engine:
        await engine.run("m", task())
        system.faults["release"] = [TransportError("down")] * 2
    assert system.records == {}


async def test_what_could_not_be_tidied_up_is_named(
    start: StartEngine, system: System, caplog: pytest.LogCaptureFixture
) -> None:
    system.instant = True
    async with start() as engine:
        result = await engine.run("m", task())
        system.faults["release"] = [TransportError("down")] * 9
    assert result.job_id is not None
    assert f"could not tidy up after 1 jobs: {result.job_id}" in caplog.text
