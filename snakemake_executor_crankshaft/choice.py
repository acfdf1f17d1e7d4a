"""Whether a job runs directly, or through an inner Snakemake."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from snakemake_executor_crankshaft.direct import NotDirectError, direct_run
from snakemake_executor_crankshaft.gate import Flags, reason_against
from snakemake_executor_crankshaft.modes import Mode, mode_of
from snakemake_executor_crankshaft.work import Work

__all__ = ["Choice", "flags_of"]


class Choice:
    """Made for each job. What does not run directly, though that was wanted, is said once for each rule and reason."""

    def __init__(self, inner: Callable[[Any], Work], *, flags: Flags | None, say: Callable[[str], object]) -> None:
        """`inner` makes the inner run of a job; without `flags` every job gets one."""
        self._inner = inner
        self._flags = flags
        self._say = say
        self._said: set[str] = set()

    def work_of(self, job: Any) -> Work:
        """How the job's work is done."""
        if self._flags is None:
            return self._inner(job)
        reason = reason_against(job, self._flags)
        if reason is None:
            try:
                return direct_run(job)
            except NotDirectError as error:
                reason = str(error)
        self._say_once(f"rule {', '.join(sorted(set(job.rules)))} does not run directly: {reason}")
        return self._inner(job)

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._say(text)


def flags_of(workflow: Any) -> Flags:
    """What bears on direct mode of Snakemake's `workflow`."""
    methods = {method.name for method in workflow.deployment_settings.deployment_method}
    return Flags(
        storage=mode_of(workflow) is Mode.STORAGE,
        conda="CONDA" in methods,
        apptainer="APPTAINER" in methods,
        env_modules="ENV_MODULES" in methods,
        cache=workflow.workflow_settings.cache is not None,
        precommand=bool(workflow.remote_execution_settings.precommand),
    )
