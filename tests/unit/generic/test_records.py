"""Exit records."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crankshaft_core.backends.generic.records import Record
from crankshaft_core.task import Verdict

LINE = "0,3 1732.500000 1733.25 4711 c07 exit \n"


def record(codes: str, why: str, detail: str = "") -> Record:
    found = Record.parse(f"{codes} 1.0 2.0 7 c07 {why} {detail}")
    assert found is not None
    return found


def test_every_field_is_read() -> None:
    assert Record.parse(LINE) == Record((0, 3), 1732.5, 1733.25, "4711", "c07", "exit")


def test_what_there_is_to_say_may_hold_spaces() -> None:
    assert record("125", "broken", "cannot enter /a b on c07").detail == "cannot enter /a b on c07"


@pytest.mark.parametrize("cut", range(len(LINE) - 2))
def test_half_a_record_is_none_or_says_the_same(cut: int) -> None:
    whole = Record.parse(LINE)
    assert Record.parse(LINE[:cut]) in {None, whole}


@given(st.text())
def test_no_text_is_too_odd_to_be_read(text: str) -> None:
    Record.parse(text)


@pytest.mark.parametrize(
    ("codes", "why", "verdict", "provisional"),
    [
        ("0", "exit", Verdict.OK, False),
        ("0,0", "exit", Verdict.OK, False),
        ("0,3", "exit", Verdict.FAILED, False),
        ("137", "exit", Verdict.FAILED, True),
        ("143", "exit", Verdict.FAILED, True),
        ("143", "signal:TERM", Verdict.CANCELLED, True),
        ("0", "signal:TERM", Verdict.CANCELLED, True),
        ("143", "time", Verdict.TIME_LIMIT, False),
        ("-", "requeued", Verdict.PREEMPTED, True),
        ("125", "broken", Verdict.FAILED, False),
    ],
)
def test_what_a_record_means(codes: str, why: str, verdict: Verdict, provisional: bool) -> None:
    found = record(codes, why)
    assert (found.outcome().verdict, found.provisional) == (verdict, provisional)


def test_a_requeue_has_no_exit_code() -> None:
    assert record("-", "requeued").exit_codes == ()
