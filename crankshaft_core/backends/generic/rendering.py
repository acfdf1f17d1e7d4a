"""From an attempt and the configuration to what runs: the job's files, and the command that hands it over."""

from __future__ import annotations

import functools
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from crankshaft_core.backends.base import Attempt
from crankshaft_core.backends.environment import configured_env
from crankshaft_core.backends.generic.activated import left_behind
from crankshaft_core.backends.generic.boxing import Boxing
from crankshaft_core.backends.generic.jobscript import Job, Step
from crankshaft_core.backends.generic.layout import RunPaths
from crankshaft_core.backends.generic.own_places import NOWHERE_ELSE, OwnPlaces
from crankshaft_core.backends.generic.template import Template, Value
from crankshaft_core.backends.generic.values import task_values
from crankshaft_core.config import GenericConfig
from crankshaft_core.errors import SubmitError
from crankshaft_core.task import Execution, Task

__all__ = ["Renderer", "ignores_images"]


@dataclass(frozen=True, slots=True)
class Renderer:
    """Renders the attempts of one run. `shell` is the configured one's path, where that is known."""

    config: GenericConfig
    run: RunPaths
    submit: Template
    env_file: bool
    shell: str | None = None
    local: bool = True
    """Paths are this machine's."""

    @property
    def batch(self) -> bool:
        """A scheduler runs the jobs; else the filled `submit` is the work itself."""
        return self.config.job_id_regex is not None

    def job(self, attempt: Attempt) -> Job:
        """The job of an attempt. Raises SubmitError for what this backend cannot run."""
        self._refuse_images(attempt.task)
        steps, own = self._steps(attempt)
        return Job(
            own.settled(attempt),
            self.run,
            steps,
            shell_words=[self.shell or self._shell[0], *self._shell[1:]],
            batch=self.batch,
            limit=attempt.task.resources.time,
            grace=self._grace,
            env_file=self.env_file,
            left_behind=self._left_behind(steps[-1]),
            backend=self.config.name,
            own=own,
        )

    def preview(self, attempt: Attempt) -> str:
        """What `submit` would run, for a person to read. Values of variables are not shown."""
        job = self.job(attempt)
        commands = [f"# {job.paths.command(number)}\n{step.text}" for number, step in enumerate(job.steps) if step.text]
        names = sorted({name for step in job.steps for name in step.env})
        parts = [f"# {job.paths.job}\n{job.script()}", *commands]
        if names:
            parts.append(f"# variables: {', '.join(names)}")
        if self.batch:
            parts.insert(0, f"# submit\n{self.submit_command(attempt, job)}\n")
        return "\n".join(parts)

    def submit_command(self, attempt: Attempt, job: Job) -> str:
        """The command that hands a job to the scheduler. Raises SubmitError for a placeholder without a value."""
        own = {"command": f"bash {shlex.quote(job.paths.job)}", "script": job.paths.job}
        return self.submit.fill(self._values(attempt, job.steps[0].cwd) | own)

    def _left_behind(self, step: Step) -> str:
        """A process of this machine has our own environment, an image one of its own."""
        if not self.env_file or step.image:
            return ""
        return left_behind(os.environ, step.env, prologue=self.config.prologue or "")

    @property
    def _shell(self) -> Sequence[str]:
        return _words(self.config.shell)

    def _steps(self, attempt: Attempt) -> tuple[list[Step], OwnPlaces]:
        """As they will run, and what their containers have to themselves."""
        plain = [self._step(attempt, number) for number in range(len(attempt.task.executions))]
        if self.config.container is None or self._ignores_images:
            return plain, NOWHERE_ELSE
        own = self._boxing.own_places(attempt, plain[0].cwd)
        return [self._boxing.boxed(attempt, number, step, own) for number, step in enumerate(plain)], own

    def _step(self, attempt: Attempt, number: int) -> Step:
        execution = attempt.task.executions[number]
        execution = execution.model_copy(
            update={"env": {**configured_env(self.config.env, os.environ), **execution.env}}
        )
        paths = self.run.task(attempt.id)
        plain = Step.of(execution, paths)
        if self.batch or self.submit.text.strip() == "~{command}":
            return plain
        return Step.of(execution, paths, text=self._work(attempt, execution, plain.cwd))

    def _work(self, attempt: Attempt, execution: Execution, cwd: str) -> str:
        """The filled `submit`, where that is the work."""
        own: dict[str, Value] = {"command": execution.shell_text, "image": execution.image}
        return self.submit.fill(self._values(attempt, cwd) | own)

    def _values(self, attempt: Attempt, cwd: str) -> dict[str, Value]:
        return task_values(attempt, self.config) | {"cwd": cwd, "task_dir": self.run.task(attempt.id).dir}

    @property
    def _grace(self) -> float:
        return 10.0 if self.config.kill_after is None else self.config.kill_after

    @property
    def _boxing(self) -> Boxing:
        return Boxing(self.config, self.run, self.local, self._grace)

    @property
    def _ignores_images(self) -> bool:
        return ignores_images(self.config, self.submit)

    def _refuse_images(self, task: Task) -> None:
        image = next((step.image for step in task.executions if step.image), None)
        if image is None or self._ignores_images:
            return
        if self.config.container is None:
            raise SubmitError(
                f"{self.config.name}: {task.name} names the image {image!r}, and this backend runs no containers; "
                'set container = "apptainer" ("singularity", "podman", "docker"), use ~{image} in `submit`, '
                "or set ignore_image = true to run it without"
            )
        if not self.batch and self.submit.text.strip() != "~{command}":
            raise SubmitError(
                f"{self.config.name}: {task.name} names the image {image!r}; container = {self.config.container!r} "
                'needs submit = "~{command}", or use ~{image} in `submit` instead'
            )


def ignores_images(config: GenericConfig, submit: Template) -> bool:
    """Executions run without their image, or the template itself sees to it."""
    return config.ignore_image or "image" in submit.names


@functools.cache
def _words(shell: str) -> Sequence[str]:
    return tuple(shlex.split(shell))
