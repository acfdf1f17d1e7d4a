"""What all jobs of a workflow have in common."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snakemake_executor_crankshaft.interface import Job, members_of
from snakemake_executor_crankshaft.modes import Mode, mode_of
from snakemake_executor_crankshaft.sharing import Sharing
from snakemake_executor_crankshaft.shipping import Shipping, shipping_of

__all__ = ["Surroundings"]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The workflow's side of every task."""

    backend: str | None
    """Where a rule says nothing."""
    work_dir: str | None
    """Where the jobs run, if they see this machine's files."""
    shared_software: bool
    """What is installed here is there too, under the same paths."""
    env: Mapping[str, str]
    """`envvars:` and `--envvars`, with their values."""
    jobs: int | None
    """`--jobs`."""
    is_preemptible: Callable[[str], bool]
    """`--preemptible-rules`, by rule."""
    is_forced: Callable[[Job], bool] = lambda _: False
    """A person said that the job is to run, whatever is there already."""
    image: str | None = None
    """`--container-image`: of jobs that need one and whose rule names none."""
    sources: tuple[str, ...] = ()
    """The Snakefile's directory and the configuration files, if the jobs read them where they are."""
    shipping: Shipping = field(default_factory=Shipping)
    """What travels with the jobs."""

    @classmethod
    def of(cls, workflow: Any, *, backend: str | None, say: Callable[[str], object]) -> Surroundings:
        """Those of Snakemake's `workflow`. Raises ConfigError for sources that cannot travel."""
        sharing = Sharing.of(workflow)
        work_dir, sources = _work_dir(workflow), _sources(workflow) if sharing.sources else ()
        return cls(
            backend=backend,
            work_dir=work_dir,
            shared_software=sharing.software,
            env=dict(workflow.spawned_job_args_factory.envvars()),
            jobs=workflow.resource_settings.nodes,
            is_preemptible=workflow.remote_execution_settings.preemptible_rules.is_preemptible,
            image=workflow.remote_execution_settings.container_image,
            is_forced=functools.partial(_is_forced, workflow),
            sources=sources,
            shipping=shipping_of(workflow, here=(*filter(None, (work_dir,)), *sources), work_dir=work_dir, say=say),
        )


def _work_dir(workflow: Any) -> str | None:
    """Jobs whose files travel have a directory of their own."""
    shared = workflow.storage_settings.assume_common_workdir and mode_of(workflow) is not Mode.CARRIED
    return str(workflow.workdir_init) if shared else None


def _sources(workflow: Any) -> tuple[str, ...]:
    """A Snakefile may also be a URL."""
    snakefile = Path(str(workflow.main_snakefile))
    directory = [str(snakefile.parent)] if snakefile.is_absolute() else []
    return (*directory, *(str(Path(path).absolute()) for path in workflow.overwrite_configfiles))


def _is_forced(workflow: Any, job: Job) -> bool:
    """`--forceall`, `--force`, `--forcerun`; not `--rerun-incomplete`, which is how a killed run goes on."""
    settings = workflow.dag_settings
    for member in members_of(job):
        names = {member.rule.name, *map(str, member.output)}
        if settings.forceall or not names.isdisjoint(map(str, settings.forcerun)):
            return True
        if settings.forcetargets and member in workflow.dag.targetjobs:
            return True
    return False
