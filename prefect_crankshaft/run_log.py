"""What a task run's log gets from its job: where it is, how it ended, and what its function printed and logged."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextvars import copy_context
from datetime import datetime
from typing import Any

from prefect.exceptions import MissingContextError
from prefect.logging import get_logger, get_run_logger

from crankshaft_core.events import (
    BackendRecovered,
    BackendUnreachable,
    Event,
    LoginRefused,
    TaskEnded,
    TaskHeld,
    TaskQueued,
    TaskRetried,
    TasksRefused,
    TaskStarted,
    TaskSubmitted,
)

__all__ = ["RunLog", "level_of"]


_LEVELS: Mapping[type[Event], int] = {
    TaskQueued: logging.DEBUG,
    TaskHeld: logging.INFO,
    TaskSubmitted: logging.INFO,
    TaskStarted: logging.INFO,
    TaskRetried: logging.WARNING,
    TaskEnded: logging.INFO,
    BackendUnreachable: logging.WARNING,
    BackendRecovered: logging.INFO,
    LoginRefused: logging.WARNING,
    TasksRefused: logging.WARNING,
}


class RunLog:
    """The log of the task run or flow run in whose context it was made; may be written from outside of that context."""

    def __init__(self) -> None:
        self._context = copy_context()
        try:
            self._logger: Any = get_run_logger()
        except MissingContextError:  # a task that is submitted without a flow
            self._logger = get_logger("task_runner.crankshaft")

    def write(self, text: str, *, level: int = logging.INFO) -> None:
        """One line of ours, or of what the function printed."""
        self._context.run(self._logger.log, level, "%s", text)

    def repeat(self, entry: Mapping[str, Any]) -> None:
        """What the function logged through Prefect on the worker, as if it had done so here."""
        self._context.run(self._repeat, entry)

    def _repeat(self, entry: Mapping[str, Any]) -> None:
        logger = logging.getLogger(str(entry["name"]))
        level = int(entry["level"])
        if not logger.isEnabledFor(level):
            return
        extra = getattr(self._logger, "extra", None)
        record = logger.makeRecord(logger.name, level, "(worker)", 0, str(entry["message"]), (), None, extra=extra)
        record.created = datetime.fromisoformat(str(entry["timestamp"])).timestamp()
        logger.handle(record)


def level_of(event: Event) -> int | None:
    """The level of a log line for this event; None when Prefect's own states say it."""
    return _LEVELS.get(type(event))
