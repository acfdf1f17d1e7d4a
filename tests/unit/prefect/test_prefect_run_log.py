"""Which events of a backend stand in the log of a flow run."""

from __future__ import annotations

import logging

import pytest

from crankshaft_core.events import BackendUnreachable, Event, LoginRefused, TasksRefused
from prefect_crankshaft.run_log import level_of


@pytest.mark.parametrize(
    "event",
    [
        BackendUnreachable("hpc", "connection lost", 3, 30.0),
        LoginRefused("hpc", "token expired", 3),
        TasksRefused("hpc", "invalid partition", 40),
    ],
)
def test_what_keeps_a_backend_from_working_is_a_warning(event: Event) -> None:
    assert level_of(event) == logging.WARNING
