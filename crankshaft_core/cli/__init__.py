"""The `crankshaft` command: one module for each of its commands, imported only when that one is asked for."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import Protocol, cast

from crankshaft_core.cli import arguments, exit_codes
from crankshaft_core.cli.terminal import say, say_what_is_logged
from crankshaft_core.errors import CrankshaftError

__all__ = ["main"]


class _Command(Protocol):
    """What the module `crankshaft_core.cli.<command>` offers."""

    def main(self, invocation: arguments.Invocation) -> int:
        """Do it; return the exit code. Raises CrankshaftError for what a person is to be told."""
        ...


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (without the program's name) and return the exit code of `exit_codes`."""
    _open_closed_streams()
    try:
        code = _code_of(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except BrokenPipeError:
        _let_go_of_output()
        return exit_codes.BROKEN_PIPE
    return code


def _code_of(argv: Sequence[str]) -> int:
    try:
        invocation = arguments.parse(argv)
    except SystemExit as left:
        return cast("int", left.code or 0)
    failed = exit_codes.RUN_FAILED if invocation.name == "run" else exit_codes.USAGE
    try:
        say_what_is_logged()
        command = cast("_Command", importlib.import_module(f"{__name__}.{invocation.name}"))
        return command.main(invocation)
    except CrankshaftError as error:
        for line in str(error).splitlines():
            say(line)
        return failed
    except BrokenPipeError:
        raise
    except OSError as error:  # a full disk, a file that cannot be read: a person's matter, and none of our bugs
        say(str(error))
        return failed
    except KeyboardInterrupt:
        say("interrupted")
        return exit_codes.of_signal(signal.SIGINT)


def _open_closed_streams() -> None:
    """Where a caller closed one (`>&-`), Python has None; and the next file opened would take its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))  # noqa: SIM115 (as Python does)


def _let_go_of_output() -> None:
    """Point standard output elsewhere, so that Python's own flush at exit does not fail again."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
