"""A clock that showed something between two moments of ours."""

from __future__ import annotations

import pytest

from crankshaft_core.backends.clocks import ahead, disagreement


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [(110, 120, 0), (100, 200, 0), (90, 120, -10), (110, 230, 30), (10, 15, -90)],
)
def test_a_clock_is_wrong_by_no_less_than(first: float, last: float, expected: float) -> None:
    assert ahead(first, last, after=100, before=200) == expected


def test_a_little_is_no_matter() -> None:
    assert disagreement("c07", 4.9) is None


@pytest.mark.parametrize(("seconds", "said"), [(40.0, "40 s ahead of"), (-90.4, "90 s behind")])
def test_more_is_told_with_its_direction(seconds: float, said: str) -> None:
    assert disagreement("c07", seconds) == f"the clock of c07 is {said} that of this machine"
