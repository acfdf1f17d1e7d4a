"""What a command that ended with exit code 127 did not find, in the words of the shell that looked for it."""

from __future__ import annotations

import re

__all__ = ["NOT_FOUND", "what_was_not_found"]

NOT_FOUND = 127
"""The exit code of a shell whose command is not there (POSIX, Shell Command Language 2.8.2)."""

_LINES = 5
"""How far from its end the words are looked for: what comes later is a shell's, or a runtime's, own."""

_LIBRARY = re.compile(r"^(?P<name>\S.*?): error while loading shared libraries: (?P<library>[^:]+): ")
_COMMAND = (
    re.compile(r"command not found: (?P<name>.+)$"),  # zsh
    re.compile(r"(?:^|: )(?:exec: )?(?P<name>[^:]+): command not found$"),  # bash
    re.compile(r"(?:^|: )exec: \"(?P<name>[^\"]+)\": executable file not found in \$PATH"),  # runc, crun, apptainer
    re.compile(r"^\[FATAL (?:tini|docker-init) \(\d+\)\] exec (?P<name>.+) failed: No such file or directory$"),
    re.compile(r"\"(?P<name>[^\"]+)\": executable file not found in \$PATH"),
    re.compile(r"env: can't execute '(?P<name>[^']+)': No such file or directory$"),  # busybox
    re.compile(r"env: ['\u2018]?(?P<name>[^'\u2019]+)['\u2019]?: No such file or directory$"),
    re.compile(r": (?P<name>[^: ][^:]*): (?:cannot execute: required file not found|No such file or directory)$"),
    re.compile(r": (?:exec: )?(?P<name>[^: ][^:]*): not found$"),  # dash, busybox, ksh
)


def what_was_not_found(stderr: str) -> str:
    """`samtools: command not found`, from the end of a command's stderr; empty where no shell says such a thing."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    for line in reversed(lines[-_LINES:]):
        library = _LIBRARY.search(line)
        if library is not None:
            return f"{library['name'].rpartition(': ')[2]}: shared library {library['library']} not found"
        match = next(filter(None, (pattern.search(line) for pattern in _COMMAND)), None)
        if match is not None:
            return f"{match['name']}: command not found"
    return ""
