"""What a task run's log gets from its job: where it is, how it ended, and what its function printed and logged."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextvars import copy_context
from datetime import datetime
from typing import Any

from prefect.logging import get_run_logger

from crankshaft_core.events import (
    TaskEnded,
    TaskEvent,
    TaskHeld,
    TaskQueued,
    TaskRetried,
    TaskStarted,
    TaskSubmitted,
)
from crankshaft_core.task import Verdict

__all__ = ["RunLog", "line_of"]


_LEVELS: Mapping[type[TaskEvent], int] = {TaskQueued: logging.DEBUG, TaskRetried: logging.WARNING}


class RunLog:
    """The log of the task run in whose context it was made; may be written from outside of that context."""

    def __init__(self) -> None:
        self._context = copy_context()
        self._logger = get_run_logger()

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


def line_of(event: TaskEvent) -> tuple[int, str] | None:
    """The level and text of a log line for this event; None when Prefect's own states say it."""
    text = _text_of(event)
    return None if text is None else (_LEVELS.get(type(event), logging.INFO), f"{event.backend}: {text}")


def _text_of(event: TaskEvent) -> str | None:
    text: str | None = None
    match event:
        case TaskQueued():
            text = "waiting for a place"
        case TaskHeld():
            text = f"not taken for now: {event.reason}"
        case TaskSubmitted(attached=True):
            text = f"job {event.job_id}, which an earlier process of this run had submitted"
        case TaskSubmitted():
            text = f"submitted as job {event.job_id}"
        case TaskStarted():
            text = f"job {event.job_id} runs"
        case TaskRetried():
            text = f"{_words(event.verdict)}, another attempt is made. {event.reason}"
        case TaskEnded(result=result):
            place = f" on {result.node}" if result.node else ""
            how = f"exit code {result.exit_code}" if result.exit_code is not None else _words(result.verdict)
            text = f"job {result.job_id} ended{place}: {how}"
        case _:
            pass
    return text


def _words(verdict: Verdict) -> str:
    return verdict.replace("_", " ")
