"""Where everything of a run is: `<work_dir>/<run>/{done,seen,tasks/<attempt>/…}`, all of it 0700."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

__all__ = ["RunPaths", "TaskPaths", "in_shell"]


def in_shell(path: str) -> str:
    """The path as a word of shell text: a `~` at its beginning is that of the place."""
    return f'"$HOME"{shlex.quote(path[1:])}' if path == "~" or path.startswith("~/") else shlex.quote(path)


@dataclass(frozen=True, slots=True)
class TaskPaths:
    """The directory of one attempt. Paths are absolute, and those of the place where the templates run."""

    dir: str

    @property
    def job(self) -> str:
        """The script that a scheduler, or we, start."""
        return f"{self.dir}/job"

    @property
    def lock(self) -> str:
        """A symbolic link to the id of the job that runs the attempt; whoever makes it may run it."""
        return f"{self.dir}/start"

    @property
    def work(self) -> str:
        """The working directory of executions that name none."""
        return f"{self.dir}/work"

    @property
    def stdout(self) -> str:
        """Standard output of executions that name no file of their own."""
        return f"{self.dir}/stdout"

    @property
    def stderr(self) -> str:
        """Standard error likewise."""
        return f"{self.dir}/stderr"

    @property
    def log(self) -> str:
        """What the wrapper itself has to say; nothing, as a rule."""
        return f"{self.dir}/wrapper.log"

    def command(self, step: int) -> str:
        """The text of one execution's shell command."""
        return f"{self.dir}/cmd.{step}"


@dataclass(frozen=True, slots=True)
class RunPaths:
    """The directory of one run, by its absolute path."""

    root: str

    @property
    def done(self) -> str:
        """Exit records, one file for each attempt that has ended."""
        return f"{self.root}/done"

    @property
    def seen(self) -> str:
        """Exit records that the journal holds."""
        return f"{self.root}/seen"

    @property
    def tasks(self) -> str:
        """The attempts' directories."""
        return f"{self.root}/tasks"

    @property
    def wrapper(self) -> str:
        """What every job reads to run its commands."""
        return f"{self.root}/wrapper"

    @property
    def log(self) -> str:
        """Every scheduler command, with time and exit status."""
        return f"{self.root}/commands.log"

    def task(self, attempt: str) -> TaskPaths:
        """The directory of an attempt."""
        return TaskPaths(f"{self.tasks}/{attempt}")
