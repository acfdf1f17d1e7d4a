"""Answering a server's questions with a password, where that is what it asks for."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["PasswordAnswer"]


class PasswordAnswer:
    """Answers one question that is not echoed, once; any other is for a person (RFC 4256, 3.2)."""

    def __init__(self, password: str) -> None:
        self._password = password
        self._given = False
        self.asked_for_more = False
        """There were questions that the password is no answer to."""

    def __call__(self, _title: str, _instructions: str, questions: Sequence[tuple[str, bool]]) -> list[str]:
        """An answer for each of the (question, echoed)."""
        if not self._given and [echoed for _, echoed in questions] == [False]:
            self._given = True
            return [self._password]
        self.asked_for_more = self.asked_for_more or bool(questions)
        return ["" for _ in questions]
