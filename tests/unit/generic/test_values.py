"""What placeholders stand for."""

from __future__ import annotations

import pytest

from crankshaft_core.backends.generic.template import Value
from crankshaft_core.backends.generic.values import task_values
from crankshaft_core.errors import SubmitError
from tests.unit.generic.making import attempt, config


def values(text: str = "", **resources: object) -> dict[str, Value]:
    return task_values(attempt("true", **resources), config(f"submit = '~{{command}}'\n{text}"))


@pytest.mark.parametrize(
    ("asked", "name", "value"),
    [
        ({"cpu": 1.5}, "cpu", "2"),
        ({}, "cpu", "1"),
        ({"ram": 8}, "ram", "8"),
        ({"ram": 0.5}, "ram", "0.5"),
        ({"ram": 8}, "ram_mb", "8192"),
        ({"ram": "1MiB"}, "ram_mb", "1"),
        ({"ram": 0.1}, "ram_mb", "103"),
        ({"ram": 8, "cpu": 3}, "ram_mb_per_cpu", "2731"),
        ({"ram": 8, "cpu": 3}, "vmem_mb_per_cpu", "2731"),
        ({"ram": 0.2, "cpu": 2}, "vmem_mb_per_cpu", "1024"),
        ({}, "vmem_mb_per_cpu", None),
        ({}, "ram_mb", None),
        ({"disk": "20GB"}, "disk_mb", "19074"),
        ({"gpu": 2}, "gpu", "2"),
        ({"gpu": 0}, "gpu", None),
        ({"time": "90m"}, "time_min", "90"),
        ({"time": "61s"}, "time_min", "2"),
        ({"time": "90m"}, "time_s", "5400"),
        ({"time": "90m"}, "time_s_minus_60", "5340"),
        ({"time": "30s"}, "time_s_minus_60", "1"),
        ({"preemptible": True}, "preemptible", "true"),
        ({"preemptible": False}, "preemptible", None),
    ],
)
def test_resources(asked: dict[str, object], name: str, value: str | None) -> None:
    assert values(**asked)[name] == value


def test_a_job_is_called_after_its_attempt() -> None:
    assert values()["job_name"] == "k1-1"


def test_the_comment_names_run_and_task_on_one_line() -> None:
    made = task_values(attempt("true", name="align\n s1"), config())
    assert made["comment"] == "crankshaft k1 align s1"


def test_attributes_are_placeholders() -> None:
    assert values("attributes = { colour = 'red' }")["colour"] == "red"


def test_an_attribute_can_be_taken_back() -> None:
    assert values("attributes = { qos = '' }")["qos"] is None


QUEUES = """
queues = [
  { name = 'short', max_time = '1h', max_ram = 8 },
  { name = 'long', max_time = '7d', gpu = false },
  { name = 'gpu', gpu = true },
]
"""


@pytest.mark.parametrize(
    ("asked", "queue"),
    [
        ({}, "short"),
        ({"time": "2h"}, "long"),
        ({"ram": 16}, "long"),
        ({"gpu": 1, "time": "2h"}, "gpu"),
        ({"gpu": 1, "time": "1h"}, "short"),
    ],
)
def test_a_task_goes_to_the_first_queue_that_it_fits(asked: dict[str, object], queue: str) -> None:
    assert values(QUEUES, **asked)["queue"] == queue


def test_a_task_that_fits_no_queue_is_refused() -> None:
    with pytest.raises(SubmitError, match=r"align fits none of the queues \(short, long, gpu\)"):
        values(QUEUES, time="30d")


def test_a_named_queue_is_taken_at_its_word() -> None:
    assert values(f"queue = 'special'\n{QUEUES}", time="30d")["queue"] == "special"
