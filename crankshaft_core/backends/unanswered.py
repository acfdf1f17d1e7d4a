"""The answer of a poll whose sweep was not answered."""

from __future__ import annotations

from collections.abc import Mapping

from crankshaft_core.backends.base import JobState

__all__ = ["Unanswered"]


class Unanswered(dict[str, JobState]):
    """What a poll learned although the system itself did not answer its sweep; `reason` is what it said instead.

    A backend may return it from `poll(…, sweep=True)`: the engine then asks that system less often.
    """

    def __init__(self, states: Mapping[str, JobState], *, reason: str) -> None:
        super().__init__(states)
        self.reason = reason
