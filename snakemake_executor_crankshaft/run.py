"""One workflow's run: its engines, and the way of each job into one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crankshaft_core.backends.opening import OpenBackend, open_backend
from crankshaft_core.blocking import TaskFuture
from crankshaft_core.config import BackendConfig, Config, DockerConfig, GenericConfig
from crankshaft_core.errors import ConfigError
from crankshaft_core.task import Execution
from snakemake_executor_crankshaft.books import Book, Books, open_shelf
from snakemake_executor_crankshaft.containers import brings_this_python, hidden_from, with_mounts
from snakemake_executor_crankshaft.environment import job_environment
from snakemake_executor_crankshaft.given import Given
from snakemake_executor_crankshaft.guesses import guesses
from snakemake_executor_crankshaft.identity import Identity
from snakemake_executor_crankshaft.images import image_for, in_image, runs_images
from snakemake_executor_crankshaft.interface import Job, Logger, SingleJob
from snakemake_executor_crankshaft.logs import Logs
from snakemake_executor_crankshaft.modes import Mode
from snakemake_executor_crankshaft.notices import Notices
from snakemake_executor_crankshaft.past import Past, forgettable
from snakemake_executor_crankshaft.place import place_of
from snakemake_executor_crankshaft.reporter import Outcome, Reporter
from snakemake_executor_crankshaft.resources import BACKEND, ROUTED, Place, Request, Wish, translate
from snakemake_executor_crankshaft.shipping import Shipping
from snakemake_executor_crankshaft.surroundings import Surroundings
from snakemake_executor_crankshaft.tasks import task_of
from snakemake_executor_crankshaft.work import Work

__all__ = ["Run"]


@dataclass(frozen=True, slots=True)
class _Started:
    """A job that was handed over, and how it is known."""

    job: Job
    """Kept, so that no other object gets its id."""
    book: Book
    key: str
    given: Given


class Run:
    """Jobs go in by `start`; what comes of them is reported by `report(info, outcome)`, in a thread of its own."""

    def __init__(
        self,
        config: Config,
        surroundings: Surroundings,
        *,
        report: Callable[[Any, Outcome], None],
        failed: Callable[[BaseException], None],
        logger: Logger,
        journals: Path | None = None,
        logs: Logs | None = None,
        open_backend: OpenBackend = open_backend,
    ) -> None:
        """`journals` is the directory of the journals; without one, nothing is left to take up after a kill."""
        self._config = with_mounts(config, surroundings)
        self._surroundings = surroundings
        self._logger = logger
        self._logs = logs
        self._places: dict[str, Place] = {}
        self._unfits: dict[str, list[str]] = {}
        self._said: set[str] = set()
        self._live: set[TaskFuture] = set()
        self._started: dict[int, _Started] = {}
        shelf = open_shelf(journals)
        self._books = Books(self._config, shelf, open_backend=open_backend)
        fetched = self.shipping.ways.mode is Mode.CARRIED
        self._past = Past(self._books.all, shelf, say=logger.info, fetched=fetched)
        self._unsubscribe = self._books.subscribe(Notices(logger.info))
        self._reporter: Reporter[Any] = Reporter(report, failed)

    @property
    def shipping(self) -> Shipping:
        """What travels with the jobs."""
        return self._surroundings.shipping

    def forget_done(self, jobs: Iterable[Job]) -> None:
        """`jobs` are those that Snakemake takes for done, whoever made their files."""
        self._past.forget_done(jobs)

    def check(self, jobs: Iterable[SingleJob]) -> None:
        """Raise ConfigError with everything that is wrong with the backends and resources of `jobs`.

        What cannot be evaluated before other jobs have run is checked when its turn comes.
        """
        usual = self._config.choose(self._surroundings.backend)
        self._place(usual)
        boxes = isinstance(usual, GenericConfig) and usual.container is not None
        jobs = [job for job in jobs if not job.is_local]
        problems = dict.fromkeys(self._unfit(usual))
        problems.update(dict.fromkeys(self.shipping.problems(jobs)))
        problems.update(dict.fromkeys(self._past.problems(jobs, self._config)))
        for job in () if problems else jobs:
            routed = not ROUTED.isdisjoint(job.rule.resources.keys())
            if routed or isinstance(usual, DockerConfig) or boxes:
                problems.update(dict.fromkeys(self._problems(job)))
        if problems:
            raise ConfigError(list(problems))

    def brings_this_python(self, job: Job, container: str | None) -> bool:
        """The job, whose rule names `container`, has this interpreter and its packages there. Raises ConfigError."""
        backend = self._backend(job)
        return not in_image(backend, container) and self._shares_software(backend)

    def start(self, job: Job, info: object, work: Work) -> None:
        """Hand the job to its backend and return at once. Raises ConfigError if that cannot take it.

        A job of an earlier run that does the same is taken up instead; one that makes the same files otherwise is
        ended first. Raises WorkflowError if the job cannot be prepared.
        """
        identity, known = self._past.take_up(job, forced=self._surroundings.is_forced(job))
        backend = self._backend_of(known, identity) if known else self._backend(job)
        request = self._request(job, backend)
        for name in request.unused:
            self._say_once(f"backend {backend.name!r} has no use for {name} of rule {_rules(job)}")
        image = self._image(job, backend, work.container)
        env = self._environment(backend, image)
        execution = work.execution(env=env, work_dir=self._surroundings.work_dir, image=image)
        execution = self._logged(execution, job, backend)
        book = known or self._books.own
        task = task_of(job, execution, request, run=book.engine.run_id)
        task = self.shipping.loaded(task, job, backend, sources=work.needs_sources)
        if known is None:
            work.prepare()
            self.shipping.prepare(job)
        given = Given(request.resources.over(backend.defaults), frozenset(env), image)
        self._started[id(job)] = _Started(job, book, identity.key, given)
        future = book.engine.spawn(backend.name, task, key=identity.key)
        self._live.add(future)
        future.add_done_callback(self._live.discard)
        self._reporter.follow(info, future)

    def given(self, job: Job) -> Given:
        """What a job that was started was given."""
        started = self._started.get(id(job))
        return started.given if started is not None else Given()

    def told(self, job: Job) -> None:
        """Snakemake has noted what came of the job: it is not asked for again."""
        started = self._started.pop(id(job), None)
        if started is not None:
            started.book.journal.forget([started.key])

    def cancel(self) -> None:
        """End every job and wait until that is confirmed. Raises CancelUnconfirmed. Nothing is reported any more."""
        self._reporter.silence()
        self._books.cancel()

    def live(self) -> list[str]:
        """The jobs that are not done, by name and the system's own id."""
        return sorted(map(_shown, tuple(self._live)))

    def leave(self) -> list[str]:
        """Let go of the backends, and leave to a later run what runs there: it is returned. Nothing is reported."""
        self._reporter.silence()
        left = sorted(_shown(future) for future in tuple(self._live) if future.job_id)
        try:
            self._books.leave()
        finally:
            self._reporter.close()
        return left

    def close(self) -> None:
        """Report what is done, and let go of the backends. What still runs is cancelled."""
        if self._live:
            self._reporter.silence()
        try:
            self._unsubscribe()
            self._books.cancel()
        finally:
            self._forget_failed()
            self._past.forget_ended()
            try:
                self._books.close()
            finally:
                self._reporter.close()

    def _forget_failed(self) -> None:
        """What was cancelled would be run anew in any case."""
        for started in self._started.values():
            if forgettable(started.book.journal.latest(started.key)):
                started.book.journal.forget([started.key])

    def _backend_of(self, book: Book, identity: Identity) -> BackendConfig:
        """Where a job that is taken up was submitted to."""
        entry = book.journal.latest(identity.key)
        return self._config.choose(entry.backend if entry else self._surroundings.backend)

    def _backend(self, job: Job) -> BackendConfig:
        wanted = Wish(job.resources).text(BACKEND)
        try:
            return self._config.choose(wanted or self._surroundings.backend)
        except ConfigError as error:
            if not wanted:
                raise
            raise ConfigError(f"rule {_rules(job)}: {BACKEND}={wanted}: {error}") from error

    def _request(self, job: Job, backend: BackendConfig) -> Request:
        place = self._place(backend)
        has_sizes = place.defaults.ram is not None or place.defaults.disk is not None
        wish = Wish(
            dict(job.resources.items()),
            threads=job.threads,
            guesses=guesses(job) if has_sizes else frozenset(),
            preemptible=any(self._surroundings.is_preemptible(rule) for rule in job.rules),
        )
        try:
            return translate(wish, place)
        except ConfigError as error:
            raise ConfigError([f"rule {_rules(job)}: {problem}" for problem in error.problems]) from error

    def _image(self, job: Job, backend: BackendConfig, container: str | None) -> str | None:
        if container is not None and not runs_images(backend):
            self._say_once(f"backend {backend.name!r} runs no containers: that of rule {_rules(job)} is left out")
        try:
            return image_for(backend, container, self._surroundings.image)
        except ConfigError as error:
            raise ConfigError(f"rule {_rules(job)}: {error}") from error

    def _logged(self, execution: Execution, job: Job, backend: BackendConfig) -> Execution:
        """What the job says goes to its log files at once, where the backend can have that."""
        if self._logs is None or self._surroundings.work_dir is None or not isinstance(backend, GenericConfig):
            return execution
        files = self._logs.of(job)
        with contextlib.suppress(OSError):  # the job makes it where it runs, or says why that cannot be
            files.stdout.parent.mkdir(parents=True, exist_ok=True)
        return execution.model_copy(update={"stdout": str(files.stdout), "stderr": str(files.stderr)})

    def _environment(self, backend: BackendConfig, image: str | None) -> Mapping[str, str]:
        """What is installed here is not in an image."""
        shared = image is None and self._shares_software(backend)
        return job_environment(self._surroundings.env, backend.env, os.environ, shared=shared)

    def _shares_software(self, backend: BackendConfig) -> bool:
        return self._surroundings.shared_software and brings_this_python(backend, self._surroundings)

    def _problems(self, job: SingleJob) -> list[str]:
        from snakemake_interface_common.exceptions import WorkflowError

        try:
            backend = self._backend(job)
            self._request(job, backend)
            hidden = self._unfit(backend) or hidden_from(backend, self._surroundings, job)
            return [f"rule {_rules(job)}: {problem}" for problem in hidden]
        except ConfigError as error:
            return list(error.problems)
        except WorkflowError:
            return []  # a function of files that are not there yet

    def _unfit(self, backend: BackendConfig) -> list[str]:
        """Why files cannot get to jobs there and back, a line each."""
        if backend.name not in self._unfits:
            hidden = hidden_from(backend, self._surroundings)
            self._unfits[backend.name] = [*hidden, *self.shipping.ways.problems(backend)]
        return self._unfits[backend.name]

    def _place(self, backend: BackendConfig) -> Place:
        if backend.name not in self._places:
            self._places[backend.name] = place_of(backend)
            self._say_once(_limit(backend, self._surroundings.jobs))
        return self._places[backend.name]

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._logger.info(text)


def _limit(backend: BackendConfig, jobs: int | None) -> str:
    """Which of the two limits holds."""
    if jobs is None or jobs > backend.max_tasks:
        return f"backend {backend.name!r}: at most {backend.max_tasks} jobs at once (its max_tasks)"
    return f"backend {backend.name!r}: at most {jobs} jobs at once (--jobs)"


def _shown(future: TaskFuture) -> str:
    return f"{future.name} ({future.backend} {future.job_id or 'queued'})"


def _rules(job: Job) -> str:
    return ", ".join(repr(rule) for rule in sorted(set(job.rules)))
