"""Snakemake's executor: it hands jobs to a run, and tells Snakemake what came of them.

Not a RemoteExecutor: that one polls from a thread of its own, which waits up to ten seconds before it reports.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.real import RealExecutor
from snakemake_interface_executor_plugins.settings import ExecMode, SharedFSUsage

from snakemake_executor_crankshaft.settings import ExecutorSettings

if TYPE_CHECKING:
    from snakemake_executor_crankshaft.choice import Choice
    from snakemake_executor_crankshaft.command import InnerRun
    from snakemake_executor_crankshaft.logs import Logs
    from snakemake_executor_crankshaft.reporter import Outcome
    from snakemake_executor_crankshaft.run import Run

__all__ = ["Executor"]


class Executor(RealExecutor):
    """Runs Snakemake's jobs on the backends of Crankshaft.toml."""

    # the interface's own types leave out much of what an executor may use
    workflow: Any
    logger: Any
    executor_settings: Any

    def __post_init__(self) -> None:
        """Read the configuration, start the engine, and check every job that is to run.

        Raises WorkflowError, before any job is submitted, for what can be known to be wrong by now.
        """
        from snakemake_executor_crankshaft.sigterm import SigtermCancels

        if self.workflow.remote_execution_settings.immediate_submit:
            raise WorkflowError("--immediate-submit: executor crankshaft follows its jobs to their end; leave it out")
        self._settings: ExecutorSettings = self.executor_settings or ExecutorSettings()
        self._sigterm = SigtermCancels()
        self._open = True
        self._has_run_jobs = False
        self._choice = self._new_choice()
        with _as_workflow_error():
            self._run = self._new_run()
            try:
                dag = self.workflow.dag
                self._run.forget_done(job for job in dag.jobs if not dag.needrun(job))
                self._run.check(dag.needrun_jobs())
            except BaseException:
                self._run.close()
                raise

    def run_jobs(self, jobs: list[Any]) -> None:
        """Called by the scheduler, which is not known before."""
        from snakemake_executor_crankshaft.selection import spare_selections

        if not self._has_run_jobs:
            self._has_run_jobs = True
            spare_selections(self.workflow.scheduler)
        super().run_jobs(jobs)

    def run_job(self, job: Any) -> None:
        """Hand the job over and return at once."""
        from snakemake.exceptions import RuleException

        from crankshaft_core.errors import CrankshaftError

        if self._settings.sigterm != "finish":
            self._sigterm.install()
        info = SubmittedJobInfo(job)
        self.report_job_submission(info)
        try:
            self._run.start(job, info, self._choice.work_of(job))
        except (CrankshaftError, WorkflowError, RuleException) as error:
            self._report(info, error)

    def cancel(self) -> None:
        """End every job, wait until that is confirmed, and name what is not. A second Ctrl-C ends the waiting."""
        from crankshaft_core.errors import CrankshaftError
        from snakemake_executor_crankshaft.impatience import noticed

        reason = self._reason_to_leave()
        if reason is not None:
            self._leave(reason)
            return
        try:
            with noticed() as impatience:
                count = len(self._run.live())
                self.logger.info(f"Cancelling {count} jobs; Ctrl-C again leaves without waiting for them.")
                impatience.give_way()
                self._run.cancel()
        except CrankshaftError as error:
            self.logger.error(str(error))  # noqa: TRY400 - a message for a person, not a traceback
        except (KeyboardInterrupt, SystemExit):
            self._open = False
            left = ", ".join(self._run.live())
            self.logger.error(f"Left before it was confirmed that these have ended: {left}")  # noqa: TRY400 - as above
        self.shutdown()

    def shutdown(self) -> None:
        """Let go of the engine. Nothing of the workflow runs afterwards, or it is said what does."""
        from crankshaft_core.errors import CancelUnconfirmed

        if not self._open:
            return
        self._open = False
        try:
            self._run.close()
            self._aftermath.close()
            for line in self._aftermath.lines():
                self.logger.info(line)
        except CancelUnconfirmed as error:
            self.logger.error(str(error))  # noqa: TRY400 - a message for a person, not a traceback
        finally:
            self._sigterm.remove()

    def handle_job_success(self, job: Any) -> None:
        """Called when Snakemake has noted it."""
        self._aftermath.well(job)
        self._run.told(job)

    def handle_job_error(self, job: Any) -> None:
        """Called when Snakemake has noted it."""
        unlike_promised = self._aftermath.badly(job)
        if unlike_promised:
            self.logger.error(unlike_promised)
        self._run.told(job)

    def get_python_executable(self) -> str:  # pyright: ignore[reportIncompatibleMethodOverride] (untyped)
        """This interpreter, where the jobs see it."""
        return sys.executable if self._shares(SharedFSUsage.SOFTWARE_DEPLOYMENT) else "python"

    def get_exec_mode(self) -> ExecMode:
        """Inner runs are remote ones."""
        return ExecMode.REMOTE

    @property
    def cores(self) -> int | str:  # pyright: ignore[reportIncompatibleMethodOverride] (untyped)
        """What an inner run may use where nothing better is known."""
        cores = self.workflow.resource_settings.cores
        return "all" if cores is None or cores == sys.maxsize else cores

    def _cores(self, job: Any) -> int | str:
        """What the job asked for, and was given; or `--cores`, since threads may be a fraction of those."""
        return max(1, job.threads) if self.cores == "all" else self.cores

    def _reason_to_leave(self) -> str | None:
        """Why jobs run on without this Snakemake, if they do."""
        from snakemake_executor_crankshaft.allocation import end_of_allocation

        if not self._sigterm.arrived:
            return None
        return "SIGTERM" if self._settings.sigterm == "leave" else end_of_allocation(os.environ)

    def _leave(self, reason: str) -> None:
        self._open = False
        try:
            left = ", ".join(self._run.leave()) or "nothing"
            advice = "Started again with --rerun-incomplete, Snakemake takes it up; `crankshaft cancel` ends it."
            self.logger.info(f"{reason}. Left running: {left}. {advice}")
        finally:
            self._sigterm.remove()

    def _inner_run(self, job: Any) -> InnerRun:
        from snakemake_executor_crankshaft.arguments import split_arguments
        from snakemake_executor_crankshaft.command import InnerRun
        from snakemake_executor_crankshaft.containers import of_the_image
        from snakemake_executor_crankshaft.images import container_of

        spawned = self.workflow.spawned_job_args_factory
        general = split_arguments(spawned.general_args(executor_common_settings=self.common_settings))
        arguments = (
            *split_arguments(self._job_args(job)),
            *self._wait_arguments(job),
            *self._run.shipping.arguments(general),
            *self._quiet_arguments(job),
        )
        precommand = self._run.shipping.precommand(spawned.precommand(executor_common_settings=self.common_settings))
        container = container_of(job, self.workflow)
        if self._run.brings_this_python(job, container):
            return InnerRun(sys.executable, self._snakefile(), arguments, precommand, container)
        return InnerRun("python", self._snakefile(), of_the_image(arguments, self._storages()), precommand, container)

    def _job_args(self, job: Any) -> str:
        inherited = cast("Any", super()).get_job_args
        return str(inherited(job, cores=self._cores(job)))

    def _wait_arguments(self, job: Any) -> tuple[str, ...]:
        from snakemake_executor_crankshaft.command import wait_arguments

        if not self._shares(SharedFSUsage.INPUT_OUTPUT):
            return ()
        return wait_arguments(job.get_wait_for_files(), Path(self.workflow.persistence.aux_path) / "crankshaft")

    def _storages(self) -> frozenset[str]:
        """The storage plugins that the workflow uses; others may be installed."""
        return frozenset(getattr(self.workflow.storage_registry, "_storages", ()))

    def _quiet_arguments(self, job: Any) -> tuple[str, ...]:
        """The inner run shows the log of a failed job that may not come back: not every TES server sees to that."""
        from snakemake_executor_crankshaft.command import quiet_arguments
        from snakemake_executor_crankshaft.modes import Mode

        stays = self._run.shipping.ways.mode is Mode.CARRIED
        quiet = quiet_arguments(verbose=self.workflow.output_settings.verbose, group=job.is_group() or stays)
        return (*quiet, "--show-failed-logs") if stays else quiet

    def _snakefile(self) -> str:
        path = str(self.workflow.main_snakefile)
        return path if self._shares(SharedFSUsage.SOURCES) else os.path.relpath(path)

    def _shares(self, usage: SharedFSUsage) -> bool:
        return usage in self.workflow.storage_settings.shared_fs_usage

    def _new_choice(self) -> Choice:
        from snakemake_executor_crankshaft.choice import Choice, flags_of

        flags = flags_of(self.workflow) if self._settings.direct else None
        return Choice(self._inner_run, flags=flags, say=self.logger.info)

    def _new_run(self) -> Run:
        from crankshaft_core.config import Config
        from snakemake_executor_crankshaft.aftermath import Aftermath
        from snakemake_executor_crankshaft.run import Run
        from snakemake_executor_crankshaft.surroundings import Surroundings

        config = Config.load(self._settings.config)
        for warning in config.warnings:
            self.logger.warning(warning)
        surroundings = Surroundings.of(self.workflow, backend=self._settings.backend, say=self.logger.warning)
        journals = Path(self.workflow.persistence.aux_path) / "crankshaft" / str(os.getuid())
        logs = self._new_logs()
        self._aftermath = Aftermath(logs, report=self._settings.report)
        return Run(
            config,
            surroundings,
            report=self._report,
            failed=self._broken,
            logger=self.logger,
            journals=journals,
            logs=logs,
        )

    def _new_logs(self) -> Logs:
        from snakemake_executor_crankshaft.logs import Logs

        default = Path(self.workflow.persistence.path) / "crankshaft_logs"
        logs = Logs(self._settings.logdir or default, keep=self._settings.keep_successful_logs)
        logs.prune(self._settings.delete_logfiles_older_than)
        return logs

    def _report(self, info: SubmittedJobInfo, outcome: Outcome) -> None:
        """Called in the reporter's thread."""
        from snakemake_executor_crankshaft.failure import failure_of

        job: Any = info.job
        given = self._run.given(job)
        logs = self._aftermath.ended(job, outcome, given.resources)
        failure = failure_of(outcome, job.rules, given)
        if failure is None:
            self._run.shipping.settle(job)
            self.report_job_success(info)
            return
        if job.is_group():  # Snakemake's message for a group has no place for ours
            self.logger.error("\n".join([failure.message, *(f"Log file: {log}" for log in logs)]))
        facts = {"external_jobid": failure.job_id} if failure.job_id else {}
        message = failure.message.replace("\n", "\n        ")
        cast("Any", self).report_job_error(info, msg=message, aux_logs=list(logs), **facts)

    def _broken(self, error: BaseException) -> None:
        """Have the scheduler stop: an outcome could not be reported."""
        self.workflow.scheduler.executor_error_callback(error)


@contextlib.contextmanager
def _as_workflow_error() -> Generator[None]:
    from crankshaft_core.errors import CrankshaftError

    try:
        yield
    except CrankshaftError as error:
        raise WorkflowError(str(error)) from None
