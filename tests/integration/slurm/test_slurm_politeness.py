"""What a Slurm controller is asked, and what is said of what it refuses."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from crankshaft_core.backends.base import Attempt, Cadence, Job
from crankshaft_core.backends.generic import GenericBackend
from crankshaft_core.config import Config, GenericConfig
from crankshaft_core.engine import Engine
from crankshaft_core.errors import SubmitError
from crankshaft_core.events import Event
from crankshaft_core.notices import Notices
from tests.integration.slurm.jobs import running, said, task, until
from tests.services.rpcs import rpcs
from tests.services.running import Slurm

SWEEPS_AN_HOUR = 3600 / Cadence().sweep
"""As many as there are; `tests/unit/engine/test_politeness.py` lets the hour pass."""
SWEEPS = 3


def asked() -> Counter[str]:
    return Counter(rpcs())


def beside(counted: Counter[str], before: Counter[str]) -> int:
    return (counted - before).total()


async def test_an_hour_of_waiting_jobs_costs_the_controller_less_than_300_calls(
    slurm: Slurm, configured: Callable[[str], Config]
) -> None:
    del slurm
    config = configured("extra_args = '--begin=now+1day'").backends["slurm"]
    assert isinstance(config, GenericConfig)
    backend = GenericBackend(config, run_id="k000000")
    attempts = [Attempt(f"k000000-{number}-1", "k000000", 1, task("true")) for number in range(20)]
    ids = await asyncio.gather(*(backend.submit(attempt) for attempt in attempts))
    jobs = [Job(attempt.id, attempt.run, job) for attempt, job in zip(attempts, ids, strict=True)]
    try:
        for _ in range(2):
            await backend.poll(jobs, sweep=False)
        before = asked()
        for _ in range(5):
            await backend.poll(jobs, sweep=False)
        polled = asked()
        for _ in range(SWEEPS):
            assert len(await backend.poll(jobs, sweep=True)) == len(jobs)
        swept = asked()
        comments = said("squeue", "-h", "-o", "%k", "-j", ",".join(ids)).splitlines()
    finally:
        await backend.cancel(jobs, force=False)
        await backend.aclose()
    assert beside(polled, before) == 0, "a poll that is no sweep asks the controller nothing"
    assert beside(swept, polled) / SWEEPS * SWEEPS_AN_HOUR < 300
    assert set(comments) == {"crankshaft k000000 probe"}


async def test_an_unknown_partition_is_one_line_with_its_place_the_known_ones_and_a_count(
    configured: Callable[[str], Config], tmp_path: Path
) -> None:
    lines: list[str] = []
    async with Engine(configured("queue = 'shrot'")) as engine:
        engine.subscribe(Notices(lines.append))
        results = await asyncio.gather(*(engine.run("slurm", task("true")) for _ in range(12)), return_exceptions=True)
        log = tmp_path / "work" / engine.run_id / "commands.log"
        commands = log.read_text()
        mode = log.stat().st_mode & 0o777
    assert all(isinstance(result, SubmitError) for result in results)
    words = r"slurm: sbatch: error: invalid partition specified: shrot \(<text>:\d+\); .*"
    assert len(lines) == 1, lines
    assert re.fullmatch(rf"{words}\. Known: normal, prio\. 12 tasks not submitted\.", lines[0])
    assert commands.count(" queues\n") == 1
    assert mode == 0o600


async def test_a_controller_that_is_away_is_told_once_and_that_it_answers_again(
    slurm: Slurm, config: Config, tmp_path: Path
) -> None:
    ready, lines = tmp_path / "ready", list[str]()
    events: list[Event] = []
    async with Engine(config) as engine:
        for subscriber in (events.append, Notices(lines.append)):
            engine.subscribe(subscriber)
        handle = engine.spawn("slurm", task(f"touch '{ready}'; sleep 1; while [ -e '{ready}' ]; do sleep 0.2; done"))
        await running(handle, ready)
        await asyncio.to_thread(slurm.daemons.stop, "slurmctld")
        try:
            await until(lambda: bool(lines))
        finally:
            await asyncio.to_thread(slurm.daemons.up)
        await until(lambda: len(lines) > 1)
        ready.unlink()
        assert (await handle).ok
    assert len(lines) == 2, lines
    away = r"slurm: .*Unable to contact slurm controller.* \d\d:\d\d; 1 job unaffected; retrying in \d+ s\."
    assert re.fullmatch(away, lines[0])
    assert lines[1] == "slurm: answers again"
