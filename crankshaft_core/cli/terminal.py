"""What the command says, and where: results to standard output, everything else to standard error."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence

__all__ = ["print_table", "say", "say_block", "say_what_is_logged"]

_GAP = "  "


def say(message: str) -> None:
    """Write a line about the run itself to standard error, where it cannot mix with a task's output."""
    say_block([message])


def say_block(lines: Sequence[str]) -> None:
    """Write several lines of one message; only the first says who speaks."""
    # With nobody there to read it, there is nobody to tell.
    with contextlib.suppress(BrokenPipeError):
        sys.stderr.write("crankshaft: " + "\n".join(lines) + "\n")
        sys.stderr.flush()


def say_what_is_logged() -> None:
    """Let our loggers' warnings be said like everything else, and no SDK's: those log what we tell in our own words."""
    import logging

    logging.basicConfig(format="crankshaft: %(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(lambda record: record.name.startswith(("crankshaft", "asyncio")))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on standard output: fitted to a terminal, or plain aligned text of any width elsewhere."""
    if sys.stdout.isatty():
        _print_rich(headings, rows)
    else:
        _print_plain([headings, *rows])


def _print_rich(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*headings, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def _print_plain(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(_GAP.join(cells).rstrip() + "\n")
