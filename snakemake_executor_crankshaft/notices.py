"""What happens to tasks and backends, as lines of Snakemake's log."""

from __future__ import annotations

from functools import partial

from crankshaft_core.events import TaskSubmitted
from crankshaft_core.notices import WAITING_LONGER
from crankshaft_core.notices import Notices as CoreNotices

__all__ = ["Notices"]

Notices = partial(CoreNotices, of=(TaskSubmitted, *WAITING_LONGER))
"""Made with what says a line: each job's id and backend, and what makes waiting longer."""
