"""That facts said to be shown by a few places are facts."""

from __future__ import annotations

from tests.contract import test_backend, test_engine
from tests.contract.places import SHOWN_BY


def test_every_fact_that_a_few_places_show_is_one() -> None:
    facts = {*vars(test_backend), *vars(test_engine)}
    assert set(SHOWN_BY) <= facts
