"""How often a system is asked: over hours of a clock that jumps, with nothing left out in between."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import pytest

from crankshaft_core.backends.base import Cadence, Job, JobState, Phase
from crankshaft_core.backends.memory import MemoryBackend, System
from crankshaft_core.backends.unanswered import Unanswered
from crankshaft_core.engine.live import LiveTask
from crankshaft_core.engine.watch import Watch
from crankshaft_core.errors import AuthenticationError, TransportError
from crankshaft_core.events import BackendRecovered, BackendUnreachable, LoginRefused
from tests.unit.engine.conftest import task
from tests.unit.engine.fast_clock import run_fast

if TYPE_CHECKING:
    from crankshaft_core.errors import BackendError

HOUR = 3600.0
SILENCE = "Unable to contact slurm controller"


class Counting(MemoryBackend):
    """Jobs that wait; the times of its polls and sweeps; deaf, or unreachable, between two times."""

    def __init__(self, *, silent: tuple[float, float] = (0, 0), away: tuple[float, float] = (0, 0)) -> None:
        super().__init__(System(), cadence=Cadence())
        self.polls: list[float] = []
        self.sweeps: list[float] = []
        self.silent = silent
        self.away = away
        self.error: BackendError = TransportError("503")

    async def poll(self, jobs: Collection[Job], *, sweep: bool) -> Mapping[str, JobState]:
        now = asyncio.get_running_loop().time()
        self.polls.append(now)
        if self.away[0] <= now < self.away[1]:
            raise self.error
        if not sweep:
            return {}
        self.sweeps.append(now)
        if self.silent[0] <= now < self.silent[1]:
            return Unanswered({}, reason=SILENCE)
        return {job.attempt: JobState(Phase.QUEUED) for job in jobs}


def watched(backend: Counting, *, jobs: int = 1, seconds: float = HOUR, hasty: bool = False) -> list[object]:
    """Watch so many waiting jobs for so long; what happened."""
    events: list[object] = []

    async def watch() -> None:
        watching = Watch("hpc", backend, publish=events.append, found=print, started=print)
        for number in range(jobs):
            live = LiveTask(run="k1", serial=number, backend="hpc", name="t", key=None, task=task())
            live.job = Job(live.attempt_id, "k1", str(number))
            watching.add(live)
        watching.hasty = hasty
        poller = asyncio.create_task(watching.run())
        await asyncio.sleep(seconds)
        poller.cancel()

    run_fast(watch())
    return events


def gaps(times: list[float]) -> list[float]:
    return [round(later - earlier) for earlier, later in itertools.pairwise(times)]


def test_an_hour_of_a_thousand_waiting_jobs_takes_a_hundred_and_twenty_sweeps() -> None:
    backend = Counting()
    watched(backend, jobs=1000)
    assert len(backend.sweeps) <= HOUR / Cadence().sweep


def test_polls_become_rare_while_nothing_ends() -> None:
    backend = Counting()
    watched(backend)
    assert len(backend.polls) < 300


def test_sweeps_that_are_not_answered_become_ever_rarer() -> None:
    backend = Counting(silent=(0, HOUR))
    watched(backend)
    steps = gaps(backend.sweeps)
    assert all(later >= 1.5 * earlier or later >= 600 for earlier, later in itertools.pairwise(steps))
    assert len(backend.sweeps) < 12


def test_sweeps_are_as_often_as_ever_once_one_is_answered() -> None:
    backend = Counting(silent=(0, 200))
    watched(backend)
    assert max(gaps(backend.sweeps)[-50:]) <= 45


def test_polls_are_rarer_too_while_sweeps_are_not_answered() -> None:
    well, silent = Counting(), Counting(silent=(0, HOUR))
    for backend in (well, silent):
        watched(backend)
    assert len(silent.polls) < 0.6 * len(well.polls)


def test_jobs_to_be_cancelled_do_not_press_a_system_that_does_not_answer() -> None:
    backend = Counting(silent=(0, HOUR))
    watched(backend, seconds=60, hasty=True)
    assert len(backend.sweeps) <= 6


def test_jobs_to_be_cancelled_are_looked_at_quickly_and_then_ever_rarer() -> None:
    backend = Counting()
    watched(backend, seconds=60, hasty=True)
    assert [time < 5 for time in backend.sweeps[:3]] == [True] * 3
    assert len(backend.sweeps) < 20


def test_a_system_that_does_not_answer_is_told_once_and_that_it_does_again() -> None:
    events = watched(Counting(silent=(0, 200)), jobs=3)
    assert events == [BackendUnreachable("hpc", SILENCE, 3, 60.0), BackendRecovered("hpc")]


def test_polls_that_fail_become_ever_rarer_up_to_a_minute() -> None:
    backend = Counting(away=(0, HOUR))
    watched(backend)
    assert len(backend.polls) <= HOUR / 30 + 10


def test_a_login_that_is_refused_is_tried_a_few_times_an_hour() -> None:
    backend = Counting(away=(0, HOUR))
    backend.error = AuthenticationError("hpc: token expired", advice="Renew it")
    events = watched(backend)
    assert len(backend.polls) <= HOUR / 150 + 1
    assert events == [LoginRefused("hpc", "token expired", 1, "Renew it")]


@pytest.mark.parametrize("error", [AuthenticationError("token expired"), TransportError("503")])
def test_what_went_wrong_and_is_well_again_says_so(error: BackendError) -> None:
    backend = Counting(away=(0, 30))
    backend.error = error
    events = watched(backend)
    assert events[1:] == [BackendRecovered("hpc")]
