"""The exit codes of the `crankshaft` command.

`crankshaft run -- COMMAND` exits with the code of COMMAND, so its own failures use the codes that timeout(1), env(1)
and `docker run` use for theirs:

======= =====================================================================================
0       all right
1       `run --file`: some tasks did not succeed; `check`: some backend is not usable; `cancel`: some end
        is not confirmed; `clean`: some backend could not be asked; `login`: no connection
2       wrong use, or a wrong configuration (every command but `run`)
125     `run`: Crankshaft or the backend failed, not COMMAND: wrong use, wrong configuration,
        refused, lost, out of memory, time limit, cancelled by somebody else, ...
129     the terminal went away (SIGHUP); everything was cancelled
130     Ctrl-C (SIGINT); everything was cancelled, or a second Ctrl-C left it
141     the reader of our output went away (SIGPIPE); everything was cancelled
143     SIGTERM; everything was cancelled
other   that of COMMAND; 128 + N when signal N ended it
======= =====================================================================================
"""

from __future__ import annotations

import signal

__all__ = ["BROKEN_PIPE", "NOT_OK", "OK", "RUN_FAILED", "USAGE", "of_signal"]

OK = 0
NOT_OK = 1
USAGE = 2
RUN_FAILED = 125


def of_signal(signum: int) -> int:
    """What a shell reports for a command that the signal ended."""
    return 128 + signum


BROKEN_PIPE = of_signal(signal.SIGPIPE)
