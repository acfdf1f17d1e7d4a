"""A second Ctrl-C is never lost, whoever drops the exception."""

from __future__ import annotations

import contextlib
import signal

import pytest

from snakemake_executor_crankshaft.impatience import noticed


def test_an_interrupt_that_somebody_dropped_is_raised_again() -> None:
    with noticed() as impatience:
        with contextlib.suppress(KeyboardInterrupt):  # as Snakemake's log handler does
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            impatience.give_way()


def test_without_an_interrupt_what_was_going_on_goes_on() -> None:
    with noticed() as impatience:
        impatience.give_way()
        went_on = True
    assert went_on


def test_the_handler_before_is_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with noticed():
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before
