"""Any backend's task that ended with 127 says which command it was."""

from __future__ import annotations

import pytest

from crankshaft_core.backends.base import Outcome, Phase
from crankshaft_core.backends.memory import System
from crankshaft_core.task import Verdict
from tests.unit.engine.conftest import StartEngine, task, until


@pytest.mark.parametrize(
    ("outcome", "detail"),
    [
        (
            Outcome(Verdict.FAILED, (127,), stderr_tail="sh: samtools: not found\n", node="c07"),
            "samtools: command not found on c07 (exit 127)",
        ),
        (Outcome(Verdict.FAILED, (127,), stderr_tail="sh: x: not found\n", detail="its own words"), "its own words"),
        (Outcome(Verdict.FAILED, (127,), stderr_tail="something else\n"), ""),
        (Outcome(Verdict.FAILED, (1,), stderr_tail="sh: samtools: not found\n"), ""),
    ],
)
async def test_the_detail_names_it_where_the_backend_has_no_words(
    start: StartEngine, system: System, outcome: Outcome, detail: str
) -> None:
    async with start() as engine:
        handle = engine.spawn("m", task())
        await until(lambda: system.records)
        record = next(iter(system.records.values()))
        record.phase, record.outcome = Phase.ENDED, outcome
        assert (await handle).detail == detail
