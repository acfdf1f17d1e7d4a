"""A bar for a person who waits for many tasks."""

from __future__ import annotations

import sys
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from crankshaft_core.cli.tally import Tally
from crankshaft_core.events import Event

__all__ = ["Bar"]


class Bar:
    """Draws on standard error what `tally` has counted. A subscriber and a context manager."""

    def __init__(self, tally: Tally, *, total: int) -> None:
        self._tally = tally
        self._progress = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=Console(file=sys.stderr),
            refresh_per_second=5,
            transient=True,
            redirect_stdout=False,
        )
        self._row = self._progress.add_task("", total=total)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, _: Event) -> None:
        """Show the counts as they are now."""
        tally = self._tally
        words = f"{tally.failures.total()} failed, {max(0, tally.submitted - tally.ended)} there"
        self._progress.update(self._row, completed=tally.ended, description=words)
