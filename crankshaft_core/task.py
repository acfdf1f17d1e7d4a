"""What a person asks for (Task and its parts) and what came of it (TaskResult).

The nouns are those of GA4GH TES (Task, Executor, Input, Output, Resources), with Python's spelling.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from crankshaft_core.errors import ExitCodeError
from crankshaft_core.units import GiB, Seconds

__all__ = ["Execution", "Input", "Output", "Resources", "Task", "TaskResult", "Verdict"]


class _Value(BaseModel):
    """Frozen, closed and compared by value."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _one_as_many(value: object) -> object:
    return (value,) if isinstance(value, str) else value


class Resources(_Value):
    """What a task asks for, or a backend's `defaults`. None means "not given".

    Sizes are GiB, `time` is a duration with a unit ("90m", "2h"), held as seconds.
    """

    cpu: Annotated[float, Field(gt=0)] | None = None
    """Cores asked for."""
    cpu_limit: Annotated[float, Field(gt=0)] | None = None
    """Cores never exceeded, where the backend can hold a task to it."""
    ram: Annotated[GiB, Field(gt=0)] | None = None
    """Memory asked for, GiB."""
    ram_limit: Annotated[GiB, Field(gt=0)] | None = None
    """Memory never exceeded, GiB."""
    disk: Annotated[GiB, Field(gt=0)] | None = None
    """Scratch space asked for, GiB."""
    gpu: Annotated[int, Field(ge=0)] | None = None
    """Number of GPUs."""
    preemptible: bool | None = None
    """May run on machines that can be taken away."""
    zones: Annotated[tuple[str, ...], BeforeValidator(_one_as_many)] | None = None
    """Where it may run (TES `resources.zones`)."""
    time: Annotated[Seconds, Field(gt=0)] | None = None
    """The longest it may run."""

    def over(self, defaults: Resources) -> Resources:
        """These values, and where one is not given, that of `defaults`."""
        given = {name: getattr(self, name) for name in self.model_fields_set if getattr(self, name) is not None}
        return defaults.model_copy(update=given) if given else defaults


class Input(_Value):
    """A file (or directory) the task finds at `path`, from a `url` or from `content`; exactly one of them.

    A relative `path` resolves against the task's working directory.
    """

    path: Annotated[str, Field(min_length=1)]
    url: str | None = None
    content: str | bytes | None = None
    type: Literal["FILE", "DIRECTORY"] = "FILE"
    read_only: bool = True

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.url is None) == (self.content is None):
            raise ValueError(f"input {self.path!r} needs either a url or content")
        if self.content is not None and self.type == "DIRECTORY":
            raise ValueError(f"input {self.path!r}: content is a file's, not a directory's")
        return self


class Output(_Value):
    """A file (or directory) the task leaves at `path`, to be copied to `url` when one is given.

    `path` may hold the wildcards `*`, `?` and `[...]`; `url` is then the directory they are copied into.
    """

    path: Annotated[str, Field(min_length=1)]
    url: str | None = None
    type: Literal["FILE", "DIRECTORY"] = "FILE"
    always: bool = False
    """Also fetched where the task did not succeed, if it is there then: a log."""


class Execution(_Value):
    """One command, in one image. Either `program` with `args`, which reach it byte for byte, or a shell `command`."""

    image: str | None = None
    program: str | None = None
    args: tuple[str, ...] = ()
    command: str | None = None
    work_dir: str | None = None
    stdin: str | None = None
    stdout: str | None = None
    stderr: str | None = None
    env: Mapping[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_command(self) -> Self:
        if (self.program is None) == (self.command is None):
            raise ValueError("an execution needs either a program (with args) or a shell command")
        if self.command is not None and self.args:
            raise ValueError("args belong to a program; a shell command carries its own")
        for text in (self.program, self.command, *self.args, *self.env, *self.env.values()):
            if text is not None and "\0" in text:
                raise ValueError("a command, argument or variable cannot hold a NUL byte (execve(2))")
        bad = [name for name in self.env if not name or "=" in name]
        if bad:
            raise ValueError(f"{bad[0]!r} cannot be the name of an environment variable")
        return self

    @property
    def shell_text(self) -> str:
        """The command as shell text: `command` untouched, or `program` and `args` quoted."""
        return self.command if self.command is not None else shlex.join([self.program or "", *self.args])


class Task(_Value):
    """One unit of work: its executions run in order, on one machine, and stop at the first that fails."""

    name: str = "task"
    description: str | None = None
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Output, ...] = ()
    executions: Annotated[tuple[Execution, ...], Field(min_length=1)]
    resources: Resources = Resources()
    volumes: tuple[str, ...] = ()
    attributes: Mapping[str, str] = Field(default_factory=dict)
    """Overlay the backend's own: queue, account, qos, constraint, …"""

    def over(self, defaults: Resources, attributes: Mapping[str, str]) -> Task:
        """This task with a backend's `defaults` and `attributes` under its own values."""
        update: dict[str, object] = {}
        resources = self.resources.over(defaults)
        if resources != self.resources:
            update["resources"] = resources
        if attributes:
            update["attributes"] = {**attributes, **self.attributes}
        return self.model_copy(update=update) if update else self


class Verdict(StrEnum):
    """How an attempt ended, in the words that `retry = { on = [...] }` uses."""

    OK = "ok"
    FAILED = "failed"
    OUT_OF_MEMORY = "out_of_memory"
    TIME_LIMIT = "time_limit"
    CANCELLED = "cancelled"
    PREEMPTED = "preempted"
    NODE_FAILURE = "node_failure"
    STUCK = "stuck"
    REJECTED = "rejected"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What is known of a task that has ended. Times are seconds since the epoch; None: the system does not tell."""

    name: str
    backend: str
    attempt: str
    """The id of the attempt that counted; the attempts of one task differ in their last part."""
    verdict: Verdict
    exit_codes: tuple[int, ...] = ()
    """One for each execution that was started, in order."""
    job_id: str | None = None
    """The system's own id."""
    detail: str = ""
    """What the system said, in its own words."""
    stdout: str | None = None
    """Where the standard output is: a path here, or a URL."""
    stderr: str | None = None
    stdout_tail: str = ""
    stderr_tail: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict[str, str])
    """Where each declared output is: its path in the task to a path here, or a URL."""
    node: str | None = None
    queued: float | None = None
    started: float | None = None
    ended: float | None = None
    peak_ram: float | None = None
    """GiB."""
    cpu_time: float | None = None
    """Seconds, user and system."""

    @property
    def ok(self) -> bool:
        """Every execution ran and exited with 0."""
        return self.verdict is Verdict.OK

    @property
    def exit_code(self) -> int | None:
        """The last exit code, which is the one other than 0 if there is one; None when none is known."""
        return self.exit_codes[-1] if self.exit_codes else None

    def check(self) -> Self:
        """Return the result itself if `ok`; raise ExitCodeError with the tail of stderr if not."""
        if self.ok:
            return self
        raise ExitCodeError(self.failure_message(), result=self)

    def failure_message(self) -> str:
        """One line for a person: which task, where, how it ended, and the last line of its stderr."""
        where = ", ".join(filter(None, (f"{self.backend} {self.job_id or ''}".strip(), self.node)))
        how = f"exit code {self.exit_code}" if self.verdict is Verdict.FAILED else self.verdict.replace("_", " ")
        parts = [f"{self.name} ({where}): {how}"]
        if self.detail:
            parts.append(self.detail)
        last = self.stderr_tail.strip().rsplit("\n", 1)[-1]
        if last:
            parts.append(f"stderr: {last}")
        return ". ".join(parts)
