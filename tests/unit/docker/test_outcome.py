from __future__ import annotations

from typing import Any

import pytest

from crankshaft_core.backends.docker.outcome import Ending, ending_of, outcome_of
from crankshaft_core.backends.docker.ran import Ran
from crankshaft_core.task import Verdict


def ran(code: int | None = 0, **fields: Any) -> Ran:
    return Ran(name="a-1-0", labels={}, started=True, ended=True, code=code, **fields)


def event(action: str, **attributes: str) -> dict[str, Any]:
    return {"Action": action, "Actor": {"Attributes": attributes}}


def test_all_exit_codes_are_told_in_order() -> None:
    found = outcome_of([ran(0), ran(3)], Ending.ITSELF)
    assert (found.verdict, found.exit_codes) == (Verdict.FAILED, (0, 3))


def test_out_of_memory_names_the_limit() -> None:
    found = outcome_of([ran(137, oom=True, limit=2**29)], Ending.UNKNOWN)
    assert (found.verdict, found.detail) == (Verdict.OUT_OF_MEMORY, "out of memory, limit 0.5 GiB")


def test_a_kill_from_outside_is_a_cancellation() -> None:
    found = outcome_of([ran(137)], Ending.KILLED)
    assert found.verdict is Verdict.CANCELLED
    assert "docker kill" in found.detail


def test_an_engine_that_was_stopped_failed_the_node() -> None:
    assert outcome_of([ran(137)], Ending.RESTART).verdict is Verdict.NODE_FAILURE


def test_a_sigkill_nobody_sent_may_be_memory() -> None:
    found = outcome_of([ran(137)], Ending.ITSELF)
    assert found.verdict is Verdict.FAILED
    assert "perhaps out of memory" in found.detail


def test_a_refused_start_says_the_engines_words() -> None:
    found = outcome_of([ran(127, words='exec: "x": executable file not found in $PATH')], Ending.UNKNOWN)
    assert (found.verdict, found.exit_codes) == (Verdict.FAILED, (127,))
    assert "executable file not found" in found.detail


def test_an_end_before_its_start_is_moved() -> None:
    found = outcome_of([ran(0, started_at=5.0, ended_at=4.9)], Ending.UNKNOWN)
    assert found.ended == 5.0


@pytest.mark.parametrize(
    ("events", "ending"),
    [
        ([event("start"), event("kill", signal="9"), event("die", exitCode="137")], Ending.KILLED),
        ([event("start"), event("kill"), event("die")], Ending.KILLED),
        ([event("kill", signal="1"), event("die")], Ending.ITSELF),
        ([event("start"), event("die", exitCode="137")], Ending.ITSELF),
        ([], Ending.UNKNOWN),
    ],
)
def test_the_engine_remembers_who_ended_it(events: list[dict[str, Any]], ending: Ending) -> None:
    assert ending_of(ran(137), events, None) is ending


@pytest.mark.parametrize(("code", "ending"), [(137, Ending.RESTART), (143, Ending.RESTART), (1, Ending.UNKNOWN)])
def test_what_ended_by_a_signal_before_the_engine_began_it_ended(code: int, ending: Ending) -> None:
    # an engine that was killed ends what ran under it when it comes back, and remembers those kills
    assert ending_of(ran(code, ended_at=9.0), [event("kill", signal="9")], 10.0) is ending


def test_an_engine_that_began_earlier_is_not_to_blame() -> None:
    assert ending_of(ran(137, ended_at=11.0), [event("kill", signal="9")], 10.0) is Ending.KILLED
