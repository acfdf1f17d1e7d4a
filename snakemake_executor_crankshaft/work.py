"""How a job's work is done: by an inner Snakemake, or directly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from crankshaft_core.task import Execution

__all__ = ["Work"]


class Work(Protocol):
    """What a run needs to know of it."""

    @property
    def container(self) -> str | None:
        """The image that the rule names, as it is written there; None where Snakemake itself runs it."""
        ...

    @property
    def needs_sources(self) -> bool:
        """The workflow's sources have to be where it runs."""
        ...

    def prepare(self) -> None:
        """What is to be done here before the task is submitted. Raises WorkflowError."""
        ...

    def execution(self, *, env: Mapping[str, str], work_dir: str | None, image: str | None) -> Execution:
        """The task's execution, in `image` if there is one."""
        ...
