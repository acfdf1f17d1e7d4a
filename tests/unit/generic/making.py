"""Attempts and renderers for tests, with as little as they need."""

from __future__ import annotations

from pathlib import Path

from crankshaft_core.backends.base import Attempt
from crankshaft_core.backends.generic.layout import RunPaths
from crankshaft_core.backends.generic.rendering import Renderer
from crankshaft_core.backends.generic.template import Template
from crankshaft_core.config import Config, GenericConfig
from crankshaft_core.task import Execution, Resources, Task


def config(text: str = "submit = '~{command}'") -> GenericConfig:
    backend = Config.parse(f"[[backends]]\nname = 'hpc'\nkind = 'Generic'\n{text}").backends["hpc"]
    assert isinstance(backend, GenericConfig)
    return backend


def attempt(*commands: str | Execution, name: str = "align", id: str = "k1-1", **resources: object) -> Attempt:  # noqa: A002
    executions = tuple(item if isinstance(item, Execution) else Execution(command=item) for item in commands)
    task = Task(name=name, executions=executions, resources=Resources.model_validate(resources))
    return Attempt(id=id, run="k1", number=1, task=task)


def renderer(root: Path | str, made: GenericConfig | None = None, *, env_file: bool = False) -> Renderer:
    made = made or config()
    return Renderer(made, RunPaths(str(root)), Template.parse(made.submit, label="submit"), env_file=env_file)


BATCH = """
submit = 'sbatch --mem=~{ram_mb}M ~{script}'
monitor_all = 'squeue'
kill = 'scancel ~{job_ids}'
job_id_regex = 'job (\\d+)'
"""
