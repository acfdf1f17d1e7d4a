from __future__ import annotations

from crankshaft_core.backends.base import Phase
from crankshaft_core.backends.docker.chain import grouped, standing

LABELS = {"crankshaft.attempt": "a-1", "crankshaft.executions": "2"}


def listed(*states: str, count: int = 2) -> list[dict[str, object]]:
    labels = {**LABELS, "crankshaft.executions": str(count)}
    return [
        {"Names": [f"/a-1-{number}"], "State": state, "Labels": {**labels, "crankshaft.execution": str(number)}}
        for number, state in enumerate(states)
    ]


def where(*states: str, codes: dict[str, int] | None = None, refused: str | None = None, count: int = 2):  # type: ignore[no-untyped-def]
    return standing(grouped(listed(*states, count=count))["a-1"], codes or {}, refused)


def test_containers_that_are_not_ours_are_left_out() -> None:
    assert grouped([{"Names": ["/other"], "State": "running", "Labels": None}]) == {}


def test_an_attempt_without_containers_is_missing() -> None:
    assert standing({}, {}, None).phase is Phase.MISSING


def test_the_first_waits_to_be_started() -> None:
    found = where("created", "created")
    assert (found.phase, found.next and found.next.name) == (Phase.QUEUED, "a-1-0")


def test_while_the_first_runs_nothing_else_does() -> None:
    found = where("running", "created")
    assert (found.phase, found.next) == (Phase.RUNNING, None)


def test_an_exit_code_is_asked_for_before_the_next_is_started() -> None:
    found = where("exited", "created")
    assert found.undecided is not None
    assert found.undecided.name == "a-1-0"


def test_after_a_good_end_the_next_is_started() -> None:
    found = where("exited", "created", codes={"a-1-0": 0})
    assert (found.phase, found.next and found.next.name) == (Phase.RUNNING, "a-1-1")


def test_a_bad_end_ends_the_attempt() -> None:
    assert where("exited", "created", codes={"a-1-0": 3}).phase is Phase.ENDED


def test_the_end_of_the_last_ends_the_attempt() -> None:
    assert where("exited", "exited", codes={"a-1-0": 0}).phase is Phase.ENDED


def test_one_that_would_not_start_ends_the_attempt() -> None:
    assert where("exited", "created", codes={"a-1-0": 0}, refused="a-1-1").phase is Phase.ENDED


def test_one_that_somebody_removed_is_missing() -> None:
    assert where("exited", codes={"a-1-0": 0}).phase is Phase.MISSING


def test_a_paused_one_runs_and_says_so() -> None:
    found = where("paused", count=1)
    assert (found.phase, found.reason) == (Phase.RUNNING, "paused")
