"""What surrounds a call: its prints become logs, and its time is limited."""

from __future__ import annotations

import builtins
import sys

from prefect_crankshaft.worker.records import Records, WorkerTimeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Printed:
    """As Prefect's log_prints: what is printed to standard output becomes log records; without `records`, nothing."""

    def __init__(self, number: int, records: Records | None) -> None:
        self.number = number
        self.records = records

    def __enter__(self) -> None:
        self.real_print = builtins.print
        if self.records is not None:
            builtins.print = self.print

    def __exit__(self, *_: object) -> None:
        builtins.print = self.real_print

    def print(
        self, *args: object, sep: str | None = " ", end: str | None = "\n", file: Any = None, flush: bool = False
    ) -> None:
        """In the place of the builtin."""
        if self.records is not None and (file is None or file is sys.stdout):
            self.records.emit(self.number, "print", (" " if sep is None else sep).join(map(str, args)))
        else:
            self.real_print(*args, sep=sep, end=end, file=file, flush=flush)


class TimeLimit:
    """WorkerTimeout in the main thread after so many seconds; none for None."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds

    def __enter__(self) -> None:
        if self.seconds:
            import signal

            signal.signal(signal.SIGALRM, self.over)
            signal.setitimer(signal.ITIMER_REAL, self.seconds)

    def __exit__(self, *_: object) -> None:
        if self.seconds:
            import signal

            signal.setitimer(signal.ITIMER_REAL, 0)

    def over(self, *_: object) -> None:
        """The signal's handler."""
        raise WorkerTimeout(f"Task run exceeded timeout of {self.seconds} second(s)")
