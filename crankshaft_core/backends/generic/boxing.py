"""From an execution that names an image to the container it runs in on this backend."""

from __future__ import annotations

import os
import posixpath
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from crankshaft_core.backends.base import Attempt
from crankshaft_core.backends.generic.containers import Bind, Box, Runtime, ending, launch, removal
from crankshaft_core.backends.generic.image_names import ImageName
from crankshaft_core.backends.generic.jobscript import Step
from crankshaft_core.backends.generic.layout import RunPaths
from crankshaft_core.backends.generic.own_places import NOWHERE_ELSE, OwnPlaces, directory_of
from crankshaft_core.config import GenericConfig
from crankshaft_core.errors import SubmitError
from crankshaft_core.task import Execution, Task

__all__ = ["Boxing"]

_SHELL = ("/bin/sh",)
"""An image need not have bash."""

_FOR_THE_RUNTIME = ("DOCKER_", "CONTAINER_", "CONTAINERS_", "REGISTRY_AUTH_FILE", "XDG_", "APPTAINER", "SINGULARITY")
"""How the names of variables begin that say where an engine is, or how a runtime behaves."""


@dataclass(frozen=True, slots=True)
class Boxing:
    """Puts the executions of one run into containers. `local`: the job's paths are this machine's."""

    config: GenericConfig
    run: RunPaths
    local: bool
    grace: float
    """Seconds from TERM to KILL."""

    def own_places(self, attempt: Attempt, cwd: str) -> OwnPlaces:
        """What the attempt's containers have to themselves: nothing, unless all its executions are in containers."""
        if self.config.container is None or not all(step.image for step in attempt.task.executions):
            return NOWHERE_ELSE
        seen = (cwd, *(mount.target for mount in self.config.mounts))
        return OwnPlaces.of(attempt, root=self.run.task(attempt.id).dir, seen=seen)

    def boxed(self, attempt: Attempt, number: int, step: Step, own: OwnPlaces) -> Step:
        """The step as it runs in its image, if it has one. Raises SubmitError for what the runtime cannot do."""
        step = replace(step, stdin=own.below(step.stdin), stdout=own.below(step.stdout), stderr=own.below(step.stderr))
        image, runtime = attempt.task.executions[number].image, self.config.container
        if image is None or runtime is None:
            return step
        box = self._box(attempt, number, step, own, image, runtime)
        end = ending(box, grace=self.grace)
        return replace(step, image=image, runtime=runtime, launch=launch(box), ending=end, removal=removal(box))

    def _box(self, attempt: Attempt, number: int, step: Step, own: OwnPlaces, image: str, runtime: Runtime) -> Box:  # noqa: PLR0917 (private)
        name = ImageName.of(image, runtime, local=self.local, who=self.config.name)
        return Box(
            runtime=runtime,
            image=name.path(posixpath.dirname(self.run.root)),
            name=f"{attempt.id}-{number}",
            cwd=step.cwd,
            command=step.words or (*self._shell, self.run.task(attempt.id).command(number)),
            binds=self._binds(attempt, step, own),
            variables=_variables(step, attempt.task.executions[number]),
            labels={"crankshaft.run": attempt.run, "crankshaft.attempt": attempt.id},
            resources=attempt.task.resources,
            stdin=attempt.task.executions[number].stdin is not None,
            extra=self.config.container_args or "",
        )

    @property
    def _shell(self) -> tuple[str, ...]:
        chosen = "shell" in self.config.model_fields_set
        return tuple(shlex.split(self.config.shell)) if chosen else _SHELL

    def _binds(self, attempt: Attempt, step: Step, own: OwnPlaces) -> tuple[Bind, ...]:
        task = self.run.task(attempt.id)
        wanted = [Bind(task.dir, task.dir), Bind(step.cwd, step.cwd)]
        wanted += [Bind(mount.target, mount.source, mount.read_only) for mount in self.config.mounts]
        wanted += (Bind(target, source, make=True) for target, source in own.directories.items())
        wanted += (Bind(target, source, read_only=True) for target, source in own.files.items())
        wanted += _outputs(attempt.task, own)
        wanted += _inputs(attempt, own)
        binds = tuple(_distinct(sorted(wanted)))
        self._refuse_odd(attempt.task, binds)
        return binds

    def _refuse_odd(self, task: Task, binds: Iterable[Bind]) -> None:
        signs = "," if self.config.container in {"podman", "docker"} else ",:"
        for path in (path for bind in binds for path in (bind.source, bind.target)):
            if any(sign in path for sign in signs):
                raise SubmitError(
                    f"{self.config.name}: {task.name}: {self.config.container} cannot mount {path}, "
                    "which has a comma or colon in its name"
                )


def _variables(step: Step, execution: Execution) -> list[str]:
    """Those of the task; what the backend's `env` sets for the runtime itself stays outside."""
    return sorted(name for name in step.env if name in execution.env or not name.startswith(_FOR_THE_RUNTIME))


def _outputs(task: Task, own: OwnPlaces) -> Iterator[Bind]:
    """The directories of outputs with absolute paths, which the command is to write to."""
    for output in task.outputs:
        directory = directory_of(output)
        if directory.startswith("/") and directory != "/" and own.below(directory) == directory:
            yield Bind(directory, directory, make=True)


def _inputs(attempt: Attempt, own: OwnPlaces) -> Iterator[Bind]:
    """Inputs at absolute paths, and the files that links in the working directory lead to."""
    for item in attempt.task.inputs:
        if item.path.startswith("/"):
            path = posixpath.normpath(item.path)
            if own.below(path) == path:
                yield Bind(path, path, read_only=item.read_only)
    for staged in attempt.inputs:
        if staged.file is not None and not (attempt.scratch and staged.file.is_relative_to(attempt.scratch)):
            for path in dict.fromkeys((os.path.abspath(staged.file), os.path.realpath(staged.file))):  # noqa: PTH100 (links are kept)
                if staged.input.read_only and Path(path).exists():
                    yield Bind(path, path, read_only=True)


def _distinct(binds: Iterable[Bind]) -> Iterator[Bind]:
    """Each target once, and none that another one shows as it is already. In the order of their targets."""
    kept: list[Bind] = []
    for bind in binds:
        if not any(_shows(other, bind) for other in kept):
            kept.append(bind)
            yield bind


def _shows(other: Bind, bind: Bind) -> bool:
    if other.target == bind.target:
        return True
    inside = bind.target.startswith(f"{other.target}/")
    same = other.source == other.target and bind.source == bind.target
    return inside and same and (bind.read_only or not other.read_only)
