"""The files that one attempt needs in its directory: `job`, its shell commands, its variables.

A command travels as a file, so nothing of it is ever part of a command line that somebody else parses.
"""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from crankshaft_core.backends.base import Attempt
from crankshaft_core.backends.generic.endings import Surroundings
from crankshaft_core.backends.generic.layout import RunPaths, TaskPaths
from crankshaft_core.backends.generic.own_places import NOWHERE_ELSE, OwnPlaces
from crankshaft_core.errors import SubmitError
from crankshaft_core.task import Execution

__all__ = ["Job", "Step", "read_header", "variables"]


@dataclass(frozen=True, slots=True)
class Step:
    """One execution, as it will run: absolute paths, and either a program's words or shell text."""

    cwd: str
    stdin: str
    stdout: str
    stderr: str
    env: Mapping[str, str]
    words: tuple[str, ...] = ()
    """A program and its arguments; empty for shell text."""
    text: str = ""
    image: str = ""
    """The image it runs in, as the task names it."""
    runtime: str = ""
    """What runs the image."""
    launch: str = ""
    """Lines of bash that replace the shell with the runtime, which then runs the command."""
    ending: str = ""
    """Lines of bash that have an engine end its container in a while, without our help."""
    removal: str = ""
    """Lines of bash that remove what a killed runtime may have left."""

    @classmethod
    def of(cls, execution: Execution, task: TaskPaths, *, text: str | None = None) -> Step:
        """The step for an execution. `text` replaces its command."""
        cwd = posixpath.join(task.work, execution.work_dir or "")
        program = execution.program is not None and text is None
        return cls(
            cwd=posixpath.normpath(cwd),
            stdin=posixpath.join(cwd, execution.stdin) if execution.stdin else "/dev/null",
            stdout=posixpath.join(cwd, execution.stdout) if execution.stdout else task.stdout,
            stderr=posixpath.join(cwd, execution.stderr) if execution.stderr else task.stderr,
            env=execution.env,
            words=(execution.program or "", *execution.args) if program else (),
            text="" if program else execution.shell_text if text is None else text,
        )


@dataclass(frozen=True, slots=True)
class Job:
    """Everything that the wrapper is told about one attempt."""

    attempt: Attempt
    run: RunPaths
    steps: Sequence[Step]
    shell_words: Sequence[str]
    """Words of the shell that runs shell text."""
    batch: bool
    limit: float | None = None
    """Seconds after which the wrapper itself ends the executions."""
    grace: float = 10.0
    """Seconds from its TERM to its KILL."""
    env_file: bool = False
    """Variables come in a file; else in the environment of the process that is started."""
    left_behind: str = ""
    """The environment of software that is active here, and that the job is not given."""
    own: OwnPlaces = NOWHERE_ELSE
    """What its containers have to themselves."""
    backend: str = ""
    """Its name, for whoever finds the directory later: another backend must not judge whether the job lives."""

    @property
    def paths(self) -> TaskPaths:
        """The attempt's directory."""
        return self.run.task(self.attempt.id)

    @property
    def around(self) -> Surroundings:
        """What helps to explain how it ends."""
        boxed = [step for step in self.steps if step.image]
        if not boxed:
            return Surroundings(left_behind=self.left_behind)
        return Surroundings(
            boxed[0].runtime,
            tuple(step.image for step in self.steps),
            tuple(step.words[0] if step.words else "" for step in self.steps),
            self.left_behind,
        )

    def directories(self) -> Sequence[str]:
        """Directories to make: the attempt's own, and the working directories inside it."""
        own = [step.cwd for step in self.steps if f"{step.cwd}/".startswith(f"{self.paths.work}/")]
        return [self.paths.dir, *dict.fromkeys(own)]

    def files(self) -> Mapping[str, bytes]:
        """Paths and contents. Raises SubmitError for a variable that no shell can set."""
        files = {
            self.paths.command(number): _bytes(step.text) for number, step in enumerate(self.steps) if not step.words
        }
        if self.env_file and any(step.env for step in self.steps):
            lines = [f"{name}={shlex.quote(value)}\n" for name, value in variables(self.steps).items()]
            files[f"{self.paths.dir}/env"] = _bytes("".join(lines))
        files[self.paths.job] = _bytes(self.script())
        return files

    def script(self) -> str:
        """The text of `job`."""
        secret = self.env_file and any(step.env for step in self.steps)
        boxed = any(step.removal for step in self.steps)
        lines = [
            "#!/bin/bash",
            f"# crankshaft {self._header()}",
            _assignment("attempt", self.attempt.id),
            _assignment("run", self.run.root),
            _assignment("mode", "batch" if self.batch else "process" if self.env_file else "child"),
            _assignment("limit", "" if self.limit is None else f"{self.limit:.3f}"),
            _assignment("grace", f"{self.grace:.3f}"),
            _assignment("secret", "1" if secret else ""),
            *([_assignment("boxed", "1")] if boxed else []),
            _array("shell", self.shell_words),
            _array("cwd", [step.cwd for step in self.steps]),
            _array("in", [step.stdin for step in self.steps]),
            _array("out", [step.stdout for step in self.steps]),
            _array("err", [step.stderr for step in self.steps]),
            *(text for number, step in enumerate(self.steps) for text in self._functions(number, step)),
            f". {shlex.quote(self.run.wrapper)}",
        ]
        return "\n".join(lines) + "\n"

    def _header(self) -> str:
        """What another process must know to find the attempt's files again."""
        return json.dumps(
            {
                "attempt": self.attempt.id,
                "name": self.attempt.task.name,
                "backend": self.backend,
                "cwd": self.steps[0].cwd,
                "stdout": [step.stdout for step in self.steps],
                "stderr": [step.stderr for step in self.steps],
                **self.around.facts(),
                **({"own": dict(self.own.directories)} if self.own.directories else {}),
            }
        )

    def _functions(self, number: int, step: Step) -> Iterator[str]:
        yield self._function(number, step)
        if step.removal:
            yield f"_ck_end_box_{number}() {{\n{step.ending}\n}}"
            yield f"_ck_unbox_{number}() {{\n{step.removal}\n}}"

    def _function(self, number: int, step: Step) -> str:
        if step.launch:
            return f"_ck_step_{number}() {{\n{step.launch}\n}}"
        if step.words:
            return f"_ck_step_{number}() {{ exec -- {shlex.join(step.words)}; }}"
        return f'_ck_step_{number}() {{ exec "${{_ck_shell[@]}}" {shlex.quote(self.paths.command(number))}; }}'


def read_header(script: str) -> Mapping[str, object]:
    """The facts that `Job.script` wrote on its second line; empty for a text that is not one of ours."""
    match = re.match(r"#![^\n]*\n# crankshaft (\{.*\})\n", script)
    return json.loads(match[1]) if match else {}


def variables(steps: Sequence[Step]) -> Mapping[str, str]:
    """Every step's variables under names of their own, as the wrapper looks for them. Raises SubmitError."""
    return dict(_variables(steps))


def _variables(steps: Sequence[Step]) -> Iterator[tuple[str, str]]:
    for number, step in enumerate(steps):
        for name, value in step.env.items():
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name, re.ASCII) or name in _READ_ONLY:
                raise SubmitError(f"{name!r} is not the name of a variable that a shell can set")
            yield f"CRANKSHAFT_ENV_{number}_{name}", value


_READ_ONLY = frozenset({"BASHOPTS", "BASH_VERSINFO", "EUID", "PPID", "SHELLOPTS", "UID"})
"""bash(1), "Shell Variables"."""


def _assignment(name: str, value: str) -> str:
    return f"_ck_{name}={shlex.quote(value)}"


def _array(name: str, values: Sequence[str]) -> str:
    return f"_ck_{name}=({shlex.join(values)})"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
