"""A dead server is asked once per back-off; one that fails now and then is not spared."""

from __future__ import annotations

import pytest

from crankshaft_core.backends.tes.breaker import Breaker, backoff


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(threshold=3, delay=lambda openings: 10.0 * openings, clock=clock)


def fail(breaker: Breaker, *, gone: bool = False) -> None:
    assert breaker.admit() == 0
    breaker.failed(gone=gone)


def test_a_few_failures_leave_it_closed(breaker: Breaker) -> None:
    fail(breaker)
    fail(breaker)
    assert breaker.admit() == 0


def test_many_failures_in_a_row_open_it(breaker: Breaker) -> None:
    for _ in range(3):
        fail(breaker)
    assert breaker.admit() == pytest.approx(10.0)


def test_an_answer_in_between_starts_the_count_anew(breaker: Breaker) -> None:
    fail(breaker)
    fail(breaker)
    breaker.admit()
    breaker.answered()
    fail(breaker)
    fail(breaker)
    assert breaker.admit() == 0


def test_a_server_that_is_gone_opens_it_at_once(breaker: Breaker) -> None:
    fail(breaker, gone=True)
    assert breaker.admit() > 0


def test_after_the_back_off_one_request_goes_and_the_rest_wait(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, gone=True)
    clock.now += 11
    assert breaker.admit() == 0
    assert breaker.admit() > 0


def test_a_failed_trial_opens_it_for_longer(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, gone=True)
    clock.now += 11
    fail(breaker)
    assert breaker.admit() == pytest.approx(20.0)


def test_a_good_trial_closes_it(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, gone=True)
    clock.now += 11
    breaker.admit()
    breaker.answered()
    assert [breaker.admit() for _ in range(5)] == [0, 0, 0, 0, 0]


def test_a_trial_given_up_lets_the_next_one_try(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, gone=True)
    clock.now += 11
    breaker.admit()
    breaker.abandoned()
    assert breaker.admit() == 0


def test_a_thousand_requests_to_a_dead_server_are_few(breaker: Breaker, clock: Clock) -> None:
    sent = 0
    for _ in range(1000):
        clock.now += 0.07
        if breaker.admit() == 0:
            sent += 1
            breaker.failed(gone=True)
    assert sent == 4  # at 0, 10, 30 and 60 s


def test_a_wish_to_wait_holds_for_everybody(breaker: Breaker, clock: Clock) -> None:
    breaker.admit()
    breaker.pause(5.0)
    assert breaker.paused
    assert breaker.admit() == pytest.approx(5.0)
    clock.now += 5.1
    assert (breaker.paused, breaker.admit()) == (False, 0)


@pytest.mark.parametrize(("failures", "longest"), [(0, 0.5), (1, 1.0), (4, 8.0), (6, 30.0), (1000, 30.0)])
def test_back_off_has_full_jitter_within_half_a_second_and_thirty(failures: int, longest: float) -> None:
    delays = [backoff(failures) for _ in range(300)]
    assert 0 <= min(delays) < longest / 4
    assert longest * 3 / 4 < max(delays) <= longest
