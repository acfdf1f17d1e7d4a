"""A job that runs its rule's own shell command, without a Snakemake around it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crankshaft_core.task import Execution
from snakemake_executor_crankshaft.coroutines import run_coroutine
from snakemake_executor_crankshaft.modes import Mode, mode_of
from snakemake_executor_crankshaft.prelude import PLACE, Prelude
from snakemake_executor_crankshaft.tmpdir import Tmpdir, tmpdir_of

__all__ = ["DirectRun", "NotDirectError", "direct_run"]

_LONGEST = 65_535
"""Bytes of a command; a longer one Snakemake writes into a file (`shell.MAX_ARG_LEN`), and so does an inner run."""

_OF_THREADS = (
    "OMP_NUM_THREADS",
    "GOTO_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
"""Set to the rule's threads, as `snakemake.shell.shell` does."""

_ABSENT = (
    "conda_env",
    "container_img",
    "singularity_args",
    "env_modules",
    "bench_record",
    "bench_iteration",
    "shadow_dir",
    "edit_notebook",
)
"""Names that a rule's command may use, and that are nothing in a job that runs directly."""


class NotDirectError(Exception):
    """The command needs an inner Snakemake; the text says why."""


@dataclass(frozen=True, slots=True)
class DirectRun:
    """The command, and what it needs where it runs."""

    job: Any
    command: str
    shell: str
    tmpdir: Tmpdir | None
    wait_seconds: int
    work_dir: str
    """Where Snakemake is by now: a Snakefile may have changed it."""
    container: str | None
    """The rule's own image, as it is written there."""
    carried: bool = False
    """Its files travel with it."""
    needs_sources = False

    def prepare(self) -> None:
        """Make way for the outputs, as Snakemake does before a job. Raises WorkflowError."""
        run_coroutine(self.job.rule.workflow, _prepare(self.job))

    def execution(self, *, env: Mapping[str, str], work_dir: str | None, image: str | None) -> Execution:
        """The task's execution. `work_dir` is where the workflow was started."""
        shell = Path(self.shell).name if image else self.shell
        prelude = Prelude(shell, self.tmpdir, self.wait_seconds, in_image=image is not None, **self._to_be_made())
        threads = dict.fromkeys(_OF_THREADS, str(self.job.threads))
        return Execution(
            program="sh" if image else "/bin/sh",  # often a quicker one to start than bash
            args=prelude.arguments(self.command, [str(file) for file in self.job.input]),
            env={**threads, **env},
            work_dir=self.work_dir if work_dir else None,
            image=image,
        )

    def _to_be_made(self) -> dict[str, Sequence[str]]:
        """Where files travel, the directories of outputs and logs, and the files that Snakemake makes after a job."""
        if not self.carried:
            return {}
        made = [*map(str, self.job.output), *map(str, self.job.log)]
        parents = dict.fromkeys(str(Path(name).parent) for name in made)
        touched = [str(file) for file in self.job.output if "touch" in file.flags]
        return {
            "directories": [parent for parent in parents if parent != "."],
            "files": [*touched, *map(str, self.job.log)],
        }


def direct_run(job: Any) -> DirectRun:
    """The job's command, ready to run. Raises NotDirectError."""
    try:
        tmpdir = tmpdir_of(job)
    except ValueError as error:
        raise NotDirectError(str(error)) from error
    workflow = job.rule.workflow
    shell, command = _shell_and_command(job, tmpdir)
    return DirectRun(
        job=job,
        command=command,
        shell=shell,
        tmpdir=tmpdir,
        wait_seconds=int(workflow.execution_settings.latency_wait),
        work_dir=str(Path.cwd()),
        container=job.container_img_url,
        carried=mode_of(workflow) is Mode.CARRIED,
    )


def _shell_and_command(job: Any, tmpdir: Tmpdir | None) -> tuple[str, str]:
    """As `snakemake.shell.shell` puts them together."""
    shell = _snakemake("shell").shell
    resources = {name: value for name, value in job.resources.items() if name != "tmpdir"}
    if tmpdir is not None:
        resources["tmpdir"] = tmpdir.path or PLACE
    own = type(job.resources)(fromdict=resources)
    program = resources.get("shell_exec") or shell.get_executable() or "/bin/sh"
    prefix = shell._get_process_prefix(program)  # noqa: SLF001 - Snakemake has no other way to know it
    text = " ".join((prefix, _formatted(job, own), shell._process_suffix)).strip()  # noqa: SLF001 - as above
    if len(text.encode()) > _LONGEST:
        raise NotDirectError(f"its command is longer than {_LONGEST} bytes")
    if "<TBD>" in text and "<TBD>" not in job.rule.shellcmd:
        raise NotDirectError("its command holds something that is known only where it runs")
    return str(program), text


def _formatted(job: Any, resources: Any) -> str:
    """The rule's command with the names that the rule's own function would have."""
    names = {
        **dict.fromkeys(_ABSENT),
        "input": job.input._plainstrings(),  # noqa: SLF001 - what Snakemake itself passes
        "output": job.output._plainstrings(),  # noqa: SLF001 - as above
        "log": job.log._plainstrings(),  # noqa: SLF001 - as above
        "params": job.params,
        "wildcards": job.wildcards,
        "threads": job.threads,
        "resources": resources,
        "rule": job.rule.name,
        "jobid": job.jobid,
        "use_singularity": False,
        "is_shell": True,
    }
    try:
        return str(_snakemake("utils").format(job.rule.shellcmd, **{**job.rule.run_func.__globals__, **names}))
    except Exception as error:
        raise NotDirectError(f"its command cannot be formatted here: {error}") from error


async def _prepare(job: Any) -> None:
    """`Job.prepare` of Snakemake, but for the directory of temporary files, which is not on this machine."""
    persistence = job.rule.workflow.persistence
    await job.check_protected_output()
    await job.remove_existing_output()
    for file in job.output:
        if "update" in file.flags and await file.exists():
            persistence.backup_output(Path(file))
        file.prepare()
    for file in job.log:
        file.prepare()
    try:
        await _snakemake("io").wait_for_files(job.input, latency_wait=job.rule.workflow.execution_settings.latency_wait)
    except OSError as error:
        from snakemake_interface_common.exceptions import WorkflowError

        raise WorkflowError(error, rule=job.rule) from error


def _snakemake(module: str) -> Any:
    """A module of Snakemake, which says nothing of its types."""
    return importlib.import_module(f"snakemake.{module}")
