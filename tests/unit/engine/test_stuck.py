"""Jobs that can never start: what is said of them."""

from __future__ import annotations

import pytest

from crankshaft_core.backends.base import Outcome
from crankshaft_core.backends.memory import System
from crankshaft_core.engine.stuck import never
from crankshaft_core.errors import StuckError
from crankshaft_core.task import Execution, Resources, Task, Verdict
from tests.unit.engine.conftest import StartEngine, task, until


@pytest.mark.parametrize(
    ("reason", "asked", "attributes", "said"),
    [
        (
            "QOSMaxWallDurationPerJobLimit",
            {"time": "3d", "cpu": 2},
            {"qos": "short"},
            "(asked time 3 d, qos short). Cancelled; lower time or change qos",
        ),
        ("PartitionTimeLimit", {"time": "90m"}, {}, "(asked time 90 min). Cancelled; lower time or change queue"),
        ("PartitionConfig", {"cpu": 500}, {}, "(asked cpu 500). Cancelled; lower cpu or change queue"),
        ("InvalidAccount", {}, {"account": "lab"}, "(asked account lab). Cancelled; change account"),
        ("DependencyNeverSatisfied", {}, {}, ". Cancelled"),
        ("Eqw", {"cpu": 1, "ram": 8}, {}, "(asked ram 8 GiB, cpu 1). Cancelled"),
    ],
)
def test_the_reason_what_was_asked_and_what_to_change(
    reason: str, asked: dict[str, object], attributes: dict[str, str], said: str
) -> None:
    resources = Resources.model_validate(asked)
    made = Task(executions=(Execution(program="true"),), resources=resources, attributes=attributes)
    assert never(reason, made).replace(f"{reason} ", "").replace(reason, "") == said


async def test_a_job_that_can_never_start_is_told_in_one_line(start: StartEngine, system: System) -> None:
    async with start() as engine:
        handle = engine.spawn("m", task("align", time="3d"))
        await until(lambda: system.records)
        name, record = next(iter(system.records.items()))
        system.end(name, Verdict.STUCK, exit_codes=())
        record.outcome = Outcome(Verdict.STUCK, detail="QOSMaxWallDurationPerJobLimit")
        with pytest.raises(StuckError) as caught:
            await handle
    assert str(caught.value) == (
        "align (m job-1): can never start: QOSMaxWallDurationPerJobLimit (asked time 3 d). "
        "Cancelled; lower time or change qos"
    )
