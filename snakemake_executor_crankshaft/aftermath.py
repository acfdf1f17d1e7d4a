"""What is kept of jobs that have ended: what they said, and what they used."""

from __future__ import annotations

import logging
from pathlib import Path

from crankshaft_core.errors import BackendError
from crankshaft_core.task import Resources, TaskResult
from snakemake_executor_crankshaft.interface import Job
from snakemake_executor_crankshaft.logs import Logs
from snakemake_executor_crankshaft.report import Report
from snakemake_executor_crankshaft.reporter import Outcome

__all__ = ["Aftermath"]

_log = logging.getLogger(__name__)


class Aftermath:
    """Told of every job that ends. `report`: a table is wanted."""

    def __init__(self, logs: Logs, *, report: bool) -> None:
        self._logs = logs
        self._report = Report() if report else None

    def ended(self, job: Job, outcome: Outcome, asked: Resources) -> tuple[str, ...]:
        """Keep what there is to keep; returns the files that hold what the job said."""
        result = outcome.result if isinstance(outcome, BackendError) else outcome
        if not isinstance(result, TaskResult):
            return ()
        if self._report is not None:
            self._report.add("+".join(sorted(set(job.rules))), asked, result)
        files = self._logs.of(job)
        try:
            files.keep(result)
        except OSError as error:
            _log.warning("%s: cannot keep what %s said: %s", files.stderr, result.name, error)
            return tuple(path for path in (result.stdout, result.stderr) if path)
        return tuple(str(path) for path in (files.stdout, files.stderr) if _says_something(path))

    def well(self, job: Job) -> None:
        """Snakemake has found all that the job was to make."""
        self._logs.on_a_good_end(job)

    def lines(self) -> list[str]:
        """The table, if it is wanted."""
        return self._report.lines() if self._report is not None else []


def _says_something(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0
