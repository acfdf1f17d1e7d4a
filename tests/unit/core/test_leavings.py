"""What `crankshaft clean` may take, and what tells of a run."""

from __future__ import annotations

import pytest

from crankshaft_core.backends.leavings import Cleaning, is_run, run_of

DAY = 86400.0
RUN = "kabc123"


@pytest.mark.parametrize(("name", "run"), [("kabc123-1-1", RUN), ("kabc123-12-3", RUN)])
def test_an_attempt_tells_its_run(name: str, run: str) -> None:
    assert run_of(name) == run


@pytest.mark.parametrize("name", ["", "kabc123", "kabc123-1", "KABC123-1-1", "my-job-1-1", "kabc123-1-1-0", "abc-1-1"])
def test_other_names_tell_none(name: str) -> None:
    assert run_of(name) is None


@pytest.mark.parametrize("name", ["images", "1abc123", "kabc123x", "kabc 12", "..", ""])
def test_what_is_no_id_of_a_run_is_none(name: str) -> None:
    assert not is_run(name)


def test_what_is_old_enough_goes() -> None:
    assert Cleaning(14 * DAY).spares(RUN, 15 * DAY) == ""


def test_what_is_not_old_enough_stays() -> None:
    assert Cleaning(14 * DAY).spares(RUN, 3 * DAY) == "changed 3 d ago"


def test_what_somebody_holds_stays_however_old() -> None:
    assert Cleaning(0, held={RUN: "its client lives"}).spares(RUN, 100 * DAY) == "its client lives"


def test_what_has_no_journal_here_stays_for_a_day_whatever_is_asked() -> None:
    assert "a client elsewhere may be at work on it" in Cleaning(0).spares(RUN, DAY / 2)
    assert Cleaning(0).spares(RUN, 2 * DAY) == ""


@pytest.mark.parametrize("cleaning", [Cleaning(0, only=RUN), Cleaning(0, journalled=frozenset([RUN]))])
def test_what_is_named_or_has_a_free_journal_here_is_the_callers(cleaning: Cleaning) -> None:
    assert cleaning.spares(RUN, 1.0) == ""


def test_a_run_that_is_named_is_the_only_one() -> None:
    cleaning = Cleaning(0, only=RUN)
    assert (cleaning.concerns(RUN), cleaning.concerns("kother0")) == (True, False)
