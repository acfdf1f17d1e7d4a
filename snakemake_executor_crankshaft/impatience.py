"""A second Ctrl-C while jobs are being cancelled.

Snakemake's log handler drops a KeyboardInterrupt that arrives while it writes (`ColorizingTextHandler.emit`), so the
exception alone could be lost exactly when a person reads the line and presses the keys again.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Impatience", "noticed"]


class Impatience:
    """Whether SIGINT has arrived."""

    def __init__(self) -> None:
        self._shown = False

    def note(self, _number: int, _frame: FrameType | None) -> None:
        """The handler."""
        self._shown = True
        raise KeyboardInterrupt

    def give_way(self) -> None:
        """Raises KeyboardInterrupt if it arrived, also where somebody dropped that meanwhile."""
        if self._shown:
            raise KeyboardInterrupt


@contextmanager
def noticed() -> Generator[Impatience]:
    """Note each SIGINT within. Elsewhere than in the main thread, which gets them, nothing is noted."""
    impatience = Impatience()
    if threading.current_thread() is not threading.main_thread():
        yield impatience
        return
    before = signal.signal(signal.SIGINT, impatience.note)
    try:
        yield impatience
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler if before is None else before)
