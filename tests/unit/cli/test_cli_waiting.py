import asyncio

import pytest

from crankshaft_core.cli import waiting
from crankshaft_core.cli.waiting import Patience
from crankshaft_core.events import TaskStarted, TaskSubmitted

SUBMITTED = TaskSubmitted("r-1", "align", "hpc", "r-1-1", "48213")
STARTED = TaskStarted("r-1", "align", "hpc", "r-1-1", "48213")


class Waiting:
    reason = "Priority"

    def done(self):
        return False


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(waiting, "_SECONDS", 0.05)


async def test_a_task_that_waits_is_told_once_with_its_job_and_the_reason(capsys):
    patience = Patience(Waiting())
    patience(SUBMITTED)
    patience(SUBMITTED)
    await asyncio.sleep(0.2)
    assert capsys.readouterr().err == "crankshaft: align: hpc job 48213, which waits: Priority\n"


async def test_a_task_that_starts_soon_is_not_told(capsys):
    patience = Patience(Waiting())
    patience(SUBMITTED)
    patience(STARTED)
    await asyncio.sleep(0.2)
    assert capsys.readouterr().err == ""
