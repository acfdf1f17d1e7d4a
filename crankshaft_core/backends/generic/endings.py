"""What a failed execution has to say about why it never began: a command, or a container, that was not to be had."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from crankshaft_core.backends.base import Outcome
from crankshaft_core.not_found import NOT_FOUND, what_was_not_found
from crankshaft_core.task import Verdict

__all__ = ["NOTHING_KNOWN", "Surroundings", "explained"]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What was around the executions of an attempt. Written into its `job`."""

    runtime: str = ""
    """What ran their images."""
    images: Sequence[str] = ()
    """The image of each execution, or empty."""
    programs: Sequence[str] = ()
    """The program of each execution that has an image and no shell, or empty."""
    left_behind: str = ""
    """The environment of software that was active where the job came from, and was not given to it."""

    @classmethod
    def read(cls, facts: Mapping[str, object]) -> Surroundings:
        """From the facts in a job's header."""
        return cls(
            str(facts.get("runtime", "")),
            _texts(facts.get("images")),
            _texts(facts.get("programs")),
            str(facts.get("left_behind", "")),
        )

    def facts(self) -> Mapping[str, object]:
        """What `read` reads; nothing for most jobs."""
        known = {
            "runtime": self.runtime,
            "images": list(self.images),
            "programs": list(self.programs),
            "left_behind": self.left_behind,
        }
        return {name: value for name, value in known.items() if value}


NOTHING_KNOWN = Surroundings()


def explained(outcome: Outcome, around: Surroundings) -> Outcome:
    """The outcome, and if its last execution never began, why."""
    if outcome.verdict is not Verdict.FAILED or outcome.detail or not outcome.exit_codes:
        return outcome
    number = len(outcome.exit_codes) - 1
    image = around.images[number] if number < len(around.images) else ""
    if image:
        detail = _of_container(outcome, around.runtime, image, around.programs[number])
    elif outcome.exit_codes[-1] == NOT_FOUND:
        detail = _of_command(outcome, around.left_behind)
    else:
        return outcome
    return replace(outcome, detail=detail) if detail else outcome


def _of_command(outcome: Outcome, left_behind: str) -> str:
    words = what_was_not_found(outcome.stderr_tail)
    if not words:
        return ""
    there = f" on {outcome.node}" if outcome.node else ""
    said = f"{words}{there} (exit {NOT_FOUND})"
    return f"{said}. {left_behind} was active here, not passed there; see env, prologue" if left_behind else said


def _of_container(outcome: Outcome, runtime: str, image: str, program: str) -> str:
    where = f" on {outcome.node}" if outcome.node else ""
    code, stderr = outcome.exit_codes[-1], outcome.stderr_tail
    if words := _not_in_image(code, stderr, runtime, program):
        return f"{words}{where}" if words.startswith(f"{runtime}:") else f"{words} in image {image!r}{where}"
    if _INIT_REFUSED.search(stderr) and code in {1, 126}:
        return f"{program or 'its command'} cannot be executed in image {image!r}{where}"
    words = _of_runtime(code, stderr, runtime)
    return f"{runtime} could not run image {image!r}{where}: {words}" if words else ""


def _not_in_image(code: int, stderr: str, runtime: str, program: str) -> str:
    if code == 1 and runtime == "podman" and _INIT_FOUND_NOTHING.search(stderr):
        return f"{program}: command not found"
    if code == NOT_FOUND or (code == _FATAL and "executable file not found" in stderr):
        return what_was_not_found(stderr)
    return ""


def _of_runtime(code: int, stderr: str, runtime: str) -> str:
    """The runtime's own words, which it ends with an exit code of its own."""
    codes, pattern = _REFUSALS.get(runtime, _REFUSALS["apptainer"])
    if code not in codes:
        return ""
    return next((match[1].strip() for line in reversed(stderr.splitlines()) if (match := pattern.match(line))), "")


_FATAL = 255
_REFUSALS = {
    "docker": ((125, 126, 127), re.compile(r"docker: (?:Error response from daemon: )?(.+)")),
    "podman": ((125, 126, 127), re.compile(r"Error: (.+)")),
    "apptainer": ((_FATAL,), re.compile(r"(?:\x1b\[\d+m)*(?:FATAL|ERROR)\s*: *(.+?)(?:\x1b\[0m)?$")),
}
"""The exit codes that are a runtime's own, and how it begins to say why (docker run(1), podman-run(1))."""

_INIT = r"(?m)^(?:ERROR \(catatonit:\d+\): failed to exec pid1|\[FATAL tini \(\d+\)\] exec .+ failed): "
_INIT_FOUND_NOTHING = re.compile(_INIT + "No such file or directory$")
_INIT_REFUSED = re.compile(_INIT + "Permission denied$")
"""What the first process of a container says when it cannot start the command: podman's, docker's."""


def _texts(value: object) -> Sequence[str]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType] from JSON
