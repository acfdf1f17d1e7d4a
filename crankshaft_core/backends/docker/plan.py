"""What was decided about an attempt before anything is created for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crankshaft_core.backends.base import Attempt
from crankshaft_core.backends.docker.directory import TaskDirectory
from crankshaft_core.backends.docker.facts import Facts
from crankshaft_core.backends.docker.labels import STDERR, STDOUT, execution_labels
from crankshaft_core.backends.docker.layout import Layout, resolve
from crankshaft_core.backends.docker.mounts import Placement
from crankshaft_core.config.docker import DockerConfig
from crankshaft_core.errors import SubmitError

__all__ = ["Plan", "image_of"]


@dataclass(frozen=True, slots=True)
class Plan:
    """An attempt, the engine it goes to, and what its containers see."""

    attempt: Attempt
    config: DockerConfig
    facts: Facts
    layout: Layout
    placements: Sequence[Placement]
    mounts: Sequence[Mapping[str, Any]]
    directory: TaskDirectory
    env: Mapping[str, str]
    """Variables of the configuration; an execution's own are over them."""

    @property
    def user(self) -> str | None:
        """Who runs in the containers; None: whom the image names."""
        return self.facts.user(self.config.user)

    @property
    def executions(self) -> int:
        """How many containers it takes."""
        return len(self.attempt.task.executions)

    def attribute(self, name: str, configured: str | None) -> str | None:
        """A task's attribute, else the configuration's field of that name."""
        return self.attempt.task.attributes.get(name, configured)

    def labels(self, execution: int) -> dict[str, str]:
        """What the container or service of one execution carries."""
        wanted = self.attempt.task.executions[execution]
        files = {STDOUT: wanted.stdout, STDERR: wanted.stderr}
        streams = {name: resolve(path, self.layout.home) for name, path in files.items() if path is not None}
        return execution_labels(self.attempt, execution, self.directory.path, streams)


def image_of(attempt: Attempt, execution: int, config: DockerConfig) -> str:
    """The image an execution runs in. Raises SubmitError when there is none."""
    image = attempt.task.executions[execution].image or config.image
    if image is None:
        raise SubmitError(
            f"{attempt.task.name}: backend {config.name!r} runs containers, and no image is given; "
            "give the task one, or set `image` in the backend"
        )
    return image
