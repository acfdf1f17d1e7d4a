"""What the engine says when it refuses, for people."""

from __future__ import annotations

import re

from crankshaft_core.errors import SubmitError

__all__ = ["Refusal", "exit_code_of", "inits_words", "plain_words"]

_WRAPPING = re.compile(
    r"^(?:failed to create (?:shim )?task(?: for container)?: |OCI runtime create failed: |(?:runc|crun): |"
    r"(?:runc|crun) create failed: |unable to start container process: |starting container failed: |"
    r"container_linux\.go:\d+: starting container process caused: |error during container init: )+"
)
_TRAILER = re.compile(
    r": (?:unknown|OCI (?:runtime error|permission denied|"
    r"runtime attempted to invoke a command that was not found))$"
)

_INIT = re.compile(
    r"^\[FATAL (?:tini|docker-init) \(\d+\)\] (exec .+ failed: .+)$|"
    r"^ERROR \(catatonit:\d+\): (failed to exec pid1: .+)$",
    re.MULTILINE,
)


class Refusal(SubmitError):
    """The engine's answer was no; `status` is HTTP's, the text is the engine's own."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


def plain_words(text: str) -> str:
    """The engine's message without the names of the layers that handed it on."""
    return _TRAILER.sub("", _WRAPPING.sub("", text.strip()))


def exit_code_of(words: str) -> int | None:
    """127 for a command that is not in the image, 126 for one that cannot be run (docker run(1)); None for others."""
    if "exec:" not in words and "executable file" not in words:
        return None
    if "permission denied" in words or "exec format error" in words:
        return 126
    if "not found" in words or "no such file" in words:
        return 127
    return None


def inits_words(stderr: str) -> str:
    """What tini or catatonit wrote to a container's stderr when it could not run the command; empty if it could."""
    match = _INIT.search(stderr)
    return (match[1] or match[2]) if match else ""
