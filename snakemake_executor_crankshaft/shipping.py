"""What travels with a job's task, and what comes back from it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Literal, cast

from crankshaft_core.config import BackendConfig, GenericConfig
from crankshaft_core.errors import ConfigError
from crankshaft_core.task import Input, Output, Task
from snakemake_executor_crankshaft.coroutines import run_coroutine
from snakemake_executor_crankshaft.interface import Job, SingleJob, members_of
from snakemake_executor_crankshaft.modes import Mode, Ways, mode_of
from snakemake_executor_crankshaft.sharing import Sharing
from snakemake_executor_crankshaft.sources import UNPACK, packed_sources, sources_input

__all__ = ["Shipping", "shipping_of"]

_DIRECTORY = "--directory"
_STAYS = ("pipe", "service", "nodelocal")
"""Flags of outputs that nobody elsewhere wants."""


@dataclass(frozen=True, slots=True)
class Shipping:
    """That of one workflow."""

    ways: Ways = field(default_factory=Ways)

    def precommand(self, own: str) -> str:
        """Shell text that has to succeed before the inner run; `own` is Snakemake's."""
        return " && ".join(filter(None, (UNPACK if self.ways.sources is not None else "", own)))

    def arguments(self, arguments: Sequence[str]) -> list[str]:
        """Those of an inner run. The directory it starts in is the working directory, whatever it was here."""
        kept = list(arguments)
        if self.ways.sources is not None and _DIRECTORY in kept:
            where = kept.index(_DIRECTORY)
            del kept[where : where + 2]
        return kept

    def prepare(self, job: Job) -> None:
        """Make way for what will come back, as Snakemake does before a job."""
        if self.ways.mode is Mode.CARRIED:
            for member in members_of(job):
                run_coroutine(_workflow_of(member), cast("Any", member).remove_existing_output())

    def problems(self, jobs: Iterable[Job]) -> Iterator[str]:
        """What cannot travel of these jobs, a line each."""
        for job in jobs if self.ways.mode is Mode.CARRIED else ():
            try:
                _sent(job)
                _outputs(job)
            except ConfigError as error:
                rules = ", ".join(repr(rule) for rule in sorted(set(job.rules)))
                yield from (f"rule {rules}: {problem}" for problem in error.problems)

    def loaded(self, task: Task, job: Job, backend: BackendConfig, *, sources: bool = True) -> Task:
        """The task with all that travels, and the workflow's `sources`. Raises ConfigError for files that cannot."""
        inputs: list[Input] = []
        outputs: list[Output] = []
        if sources and self.ways.sources is not None:
            inputs.append(sources_input(self.ways.sources))
        if self.ways.mode is Mode.CARRIED:
            stays = isinstance(backend, GenericConfig)  # an absolute path is the same file there, or none
            inputs += [_input(name, job) for name in _sent(job) if not (stays and name.startswith("/"))]
            outputs += _outputs(job)
        nothing = not inputs and not outputs
        return task if nothing else task.model_copy(update={"inputs": tuple(inputs), "outputs": tuple(outputs)})

    def settle(self, job: Job) -> None:
        """Give what came back the times and the protection that Snakemake gives it where the job runs."""
        if self.ways.mode is not Mode.CARRIED:
            return
        for member in members_of(job):
            for file in member.output:
                if _is_wanted(file) and Path(file).exists():
                    file.touch()
                    if "protected" in file.flags:
                        file.protect()


def shipping_of(workflow: Any, *, here: Sequence[str], work_dir: str | None, say: Callable[[str], object]) -> Shipping:
    """That of Snakemake's `workflow`, whose jobs run in `work_dir` if that is given, and have to see `here`.

    Raises ConfigError for sources that cannot travel.
    """
    mode = mode_of(workflow)
    stays = mode is Mode.SHARED or work_dir is not None or bool(here)
    return Shipping(
        Ways(
            mode=mode,
            here=tuple(here),
            software=sys.prefix if Sharing.of(workflow).software else None,
            sources=None if stays else packed_sources(workflow, say=say),
            prefix=workflow.storage_settings.default_storage_prefix,
        )
    )


def _input(name: str, job: Job) -> Input:
    path = Path(name)
    changed = any(name == str(file) for member in members_of(job) for file in member.output)
    kind: Literal["FILE", "DIRECTORY"] = "DIRECTORY" if path.is_dir() else "FILE"
    return Input(path=name, url=str(path.absolute()), type=kind, read_only=not changed)


def _outputs(job: Job) -> list[Output]:
    """Logs come back whatever the job comes to."""
    logs = dict.fromkeys(str(file) for member in members_of(job) for file in member.log if not _is_stored(file))
    made = {name: is_directory for name, is_directory in _fetched(job).items() if name not in logs}
    return [
        *(_output(name, is_directory=is_directory) for name, is_directory in made.items()),
        *(_output(name, always=True) for name in _checked(logs, "log")),
    ]


def _output(name: str, *, is_directory: bool = False, always: bool = False) -> Output:
    if any(sign in name for sign in "*?["):
        raise ConfigError(f"output {name}: without a shared file system a name cannot hold any of * ? [")
    kind: Literal["FILE", "DIRECTORY"] = "DIRECTORY" if is_directory else "FILE"
    return Output(path=name, url=str(Path(name).absolute()), type=kind, always=always)


def _sent(job: Job) -> list[str]:
    """The inputs that are not made by the job's own group, and what its Snakefile asks checkpoints for."""
    members = members_of(job)
    made = {str(file) for member in members for file in member.output}
    wanted = chain.from_iterable(chain(member.input, _updated(member), _of_checkpoints(member)) for member in members)
    names = {str(file) for file in wanted if not _is_stored(file) and str(file) not in made}
    names |= {str(file) for member in members for file in _updated(member)}
    return _outermost(_checked(names, "input"))


def _fetched(job: Job) -> dict[str, bool]:
    """Outputs and benchmarks by name; True for directories."""
    members = members_of(job)
    unneeded = set(map(str, _workflow_of(members[0]).dag.get_unneeded_temp_files(job)))
    files = [file for member in members for file in member.output if _is_wanted(file) and str(file) not in unneeded]
    benchmarks = [cast("Any", member).benchmark for member in members]
    found = {str(file): "directory" in getattr(file, "flags", {}) for file in files}
    found |= {str(file): False for file in benchmarks if file is not None and not _is_stored(file)}
    kept = _outermost(_checked(found, "output"))
    return {name: found[name] for name in kept}


def _is_wanted(file: Any) -> bool:
    return not _is_stored(file) and not any(flag in file.flags for flag in _STAYS)


def _is_stored(file: Any) -> bool:
    """Its storage provider brings it."""
    return bool(getattr(file, "is_storage", False))


def _updated(job: SingleJob) -> Iterator[Any]:
    """Outputs that the job changes, rather than makes."""
    return (file for file in job.output if "update" in file.flags and Path(file).exists())


def _of_checkpoints(job: SingleJob) -> Iterator[Any]:
    """Outputs of finished checkpoints, where the rule has functions that may ask for them."""
    rule: Any = job.rule
    dag = rule.workflow.dag
    if not any(callable(item) for item in (*rule.input, *rule.params)):
        return
    for other in dag.jobs:
        if other.is_checkpoint and dag.noneedrun_finished(other):
            yield from (file for file in other.output if Path(file).exists())


def _checked(names: Iterable[str], kind: str) -> list[str]:
    """Each as it is below the working directory. Raises ConfigError for what is outside of it."""
    found = list(names)
    outside = [name for name in found if ".." in Path(name).parts]
    if outside:
        raise ConfigError(
            f"{kind} {', '.join(sorted(outside))}: outside of the working directory; without a shared file system a "
            "job has no such place"
        )
    return found


def _outermost(names: Iterable[str]) -> list[str]:
    """Without what is in a directory that travels as a whole."""
    kept: list[str] = []
    for name in sorted(names, key=lambda name: Path(name).parts):
        if not (kept and Path(name).is_relative_to(kept[-1])):
            kept.append(name)
    return kept


def _workflow_of(job: SingleJob) -> Any:
    return job.rule.workflow
