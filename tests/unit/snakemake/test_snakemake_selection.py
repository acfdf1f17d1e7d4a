"""Snakemake selects no jobs where there is no room for any."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from snakemake_executor_crankshaft.selection import spare_selections

REMOTE = SimpleNamespace(is_local=False)
LOCAL = SimpleNamespace(is_local=True)


def choose_all(jobs: Sequence[Any], _remaining: object, _resources: Mapping[str, Any], _sizes: object) -> Sequence[Any]:
    return jobs


@pytest.mark.parametrize(
    ("jobs", "nodes", "chosen"),
    [
        ([REMOTE], 1, [REMOTE]),
        ([REMOTE], 0, []),
        ([REMOTE, LOCAL], 0, [REMOTE, LOCAL]),
        ([REMOTE], None, [REMOTE]),
    ],
)
def test_only_where_all_wait_for_a_place_there_is_not(jobs: list[Any], nodes: int | None, chosen: list[Any]) -> None:
    scheduler = SimpleNamespace(_job_selector=choose_all)
    spare_selections(scheduler)
    assert scheduler._job_selector(jobs, [], {"_nodes": nodes}, {}) == chosen


def test_a_snakemake_that_selects_otherwise_is_left_alone() -> None:
    scheduler = SimpleNamespace()
    spare_selections(scheduler)
    assert vars(scheduler) == {}
