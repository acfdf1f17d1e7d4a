"""What is kept of jobs that have ended: what they said, and what they used."""

from __future__ import annotations

import contextlib
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from crankshaft_core.errors import BackendError
from crankshaft_core.task import Resources, TaskResult
from snakemake_executor_crankshaft.interface import Job, members_of
from snakemake_executor_crankshaft.logs import LogFiles, Logs
from snakemake_executor_crankshaft.report import Report
from snakemake_executor_crankshaft.reporter import Outcome

__all__ = ["Aftermath"]

_log = logging.getLogger(__name__)


class Aftermath:
    """Told of every job that ends. `report`: a table is wanted."""

    def __init__(self, logs: Logs, *, report: bool) -> None:
        self._logs = logs
        self._report = Report() if report else None
        self._ended_well: dict[int, TaskResult] = {}
        """By the id of the job, until Snakemake has looked at what it made."""
        self._tidying = ThreadPoolExecutor(1, thread_name_prefix="crankshaft-logs")
        """Snakemake's scheduler tells of good ends, and starts nothing while files are removed on a slow disk."""

    def ended(self, job: Job, outcome: Outcome, asked: Resources) -> tuple[str, ...]:
        """Keep what there is to keep; returns the files that hold what the job said."""
        result = outcome.result if isinstance(outcome, BackendError) else outcome
        if not isinstance(result, TaskResult):
            return ()
        if self._report is not None:
            self._report.add("+".join(sorted(set(job.rules))), asked, result)
        if result is outcome and result.ok:
            self._ended_well[id(job)] = result
        files = self._logs.of(job)
        try:
            files.keep(result)
            if result is not outcome or not result.ok:
                files.link()
        except OSError as error:
            _log.warning("%s: cannot keep what %s said: %s", files.stderr, result.name, error)
            return tuple(path for path in (result.stdout, result.stderr) if path)
        return _telling(files)

    def well(self, job: Job) -> None:
        """Snakemake has found all that the job was to make."""
        self._ended_well.pop(id(job), None)
        self._tidying.submit(self._tidy, job)

    def close(self) -> None:
        """Return when all is tidied up."""
        self._tidying.shutdown()

    def badly(self, job: Job) -> str | None:
        """Snakemake takes it for failed. Where the task itself came to a good end: what it was, and what tells more."""
        result = self._ended_well.pop(id(job), None)
        if result is None:
            return None
        files = self._logs.of(job)
        with contextlib.suppress(OSError):  # links are a convenience
            files.link()
        logs = [*_telling(files), *(str(file) for member in members_of(job) for file in member.log)]
        where = " ".join(filter(None, (result.backend, result.job_id)))
        said = f"Its logs: {', '.join(logs)}" if logs else "It wrote nothing to standard output or standard error"
        return f"{result.name} ({where}) ended with exit code 0, and what it made is not what the rule promises. {said}"

    def lines(self) -> list[str]:
        """The table, if it is wanted."""
        return self._report.lines() if self._report is not None else []

    def _tidy(self, job: Job) -> None:
        try:
            self._logs.on_a_good_end(job)
        except OSError as error:
            _log.warning("what job %s said cannot be put in order: %s", job.jobid, error)


def _telling(files: LogFiles) -> tuple[str, ...]:
    return tuple(str(path) for path in (files.stdout, files.stderr) if _says_something(path))


def _says_something(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0
