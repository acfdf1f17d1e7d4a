"""SIGTERM ends the workflow as Ctrl-C does.

By itself Snakemake waits on SIGTERM for whatever runs. Who sends it (a batch system, systemd, `docker stop`) mostly
sends SIGKILL soon after, and then all jobs would be left running with nobody to end them.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import NoReturn

__all__ = ["SigtermCancels"]


class SigtermCancels:
    """The handler, between `install` and `remove`. Elsewhere than in the main thread both do nothing."""

    def __init__(self) -> None:
        self._installed = False
        self._before: object = None
        self.arrived = False
        """It was SIGTERM that ended the workflow."""

    def install(self) -> None:
        """Take over from the handler that is there. Again: nothing."""
        if not self._installed and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._leave)
            self._installed = True

    def remove(self) -> None:
        """Put the handler back that was there."""
        if self._installed and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._before)  # type: ignore[arg-type] # as signal.signal returned it
            self._installed = False

    def _leave(self, _number: int, _frame: FrameType | None) -> NoReturn:
        """Snakemake's scheduler cancels everything on SystemExit, as on KeyboardInterrupt."""
        self.arrived = True
        raise SystemExit(128 + signal.SIGTERM)
