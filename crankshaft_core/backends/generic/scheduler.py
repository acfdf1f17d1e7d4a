"""Batch systems: jobs are handed over, listed, explained and ended by the configured commands."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from crankshaft_core.backends.base import Job, JobState, Phase
from crankshaft_core.backends.generic.frames import Script
from crankshaft_core.backends.generic.launcher import Finding, Submission, Sweep
from crankshaft_core.backends.generic.parse import (
    Listed,
    classify,
    failed_query,
    job_id,
    listing,
    per_job,
    submit_failure,
    verdict_of,
)
from crankshaft_core.backends.generic.processes import ProcessId
from crankshaft_core.backends.generic.template import Template
from crankshaft_core.config import GenericConfig
from crankshaft_core.errors import SubmitInDoubt
from crankshaft_core.task import Verdict

__all__ = ["Scheduler"]

_IDS_A_CALL = 200
"""Job ids on one command line."""

_LOOKS_A_SWEEP = 20
"""Calls of a per-job `monitor` in one sweep."""

_LOST_AFTER = 3600.0


class Scheduler:
    """A `Launcher` for a batch system. It remembers when it last learned something of each job."""

    def __init__(self, config: GenericConfig, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._clock = clock
        self._monitor = _parsed(config.monitor, "monitor")
        self._monitor_all = _parsed(config.monitor_all, "monitor_all")
        self._kill = _parsed(config.kill, "kill")
        self._diagnose = _parsed(config.diagnose, "diagnose")
        self._heard: dict[str, float] = {}
        self._user_jobs: int | None = None

    @property
    def explains(self) -> bool:
        """As `Launcher.explains`."""
        return self._monitor_all is not None or self._diagnose is not None

    @property
    def lags(self) -> bool:
        """As `Launcher.lags`: accounting does."""
        return self._diagnose is not None

    @property
    def user_jobs(self) -> int | None:
        """As `Launcher.user_jobs`."""
        return self._user_jobs

    def is_job(self, owner: str) -> bool:
        """As `Launcher.is_job`: a job that the scheduler told no id has put its process there."""
        return ProcessId.parse(owner) is None

    def add_submit(self, script: Script, submissions: Sequence[Submission], *, at_once: int) -> None:
        """As `Launcher.add_submit`."""
        script.add(_SUBMIT)
        for worker in range(min(at_once, len(submissions))):
            calls = [f"ck_submit {s.attempt} {shlex.quote(s.command)}" for s in submissions[worker::at_once]]
            script.add("{ " + "; ".join(["ck_submitting", *calls]) + "; } &")
        script.add("wait")
        for submission in submissions:
            script.add(f"ck_submitted {submission.attempt}")

    def submitted(self, pieces: Mapping[str, bytes], attempt: str) -> str:
        """As `Launcher.submitted`."""
        answer = Script.answer(pieces, attempt)
        if answer is None:
            raise SubmitInDoubt(f"{self._config.name}: the answer to submitting {attempt} was cut off")
        found = job_id(self._config, answer.stdout)
        if found is None:
            raise submit_failure(self._config, answer)
        self._heard[attempt] = self._clock()
        if self._user_jobs is not None:
            self._user_jobs += 1
        return found

    def add_sweep(self, script: Script, jobs: Collection[Job]) -> None:
        """As `Launcher.add_sweep`: one command for all, or `monitor` for those of which we have not heard longest."""
        if self._monitor_all is not None:
            script.call("list", self._monitor_all.fill({}))
        elif self._monitor is not None:
            for job in self._longest_unheard(jobs):
                script.call(f"look {job.attempt}", self._monitor.fill({"job_id": job.id, "job_name": job.attempt}))

    def swept(self, pieces: Mapping[str, bytes], jobs: Collection[Job]) -> Sweep:
        """As `Launcher.swept`."""
        states: dict[str, JobState] = {}
        stuck: dict[str, str] = {}
        for job, listed in self._seen(pieces, jobs):
            meaning = None if listed is None else classify(self._config, listed)
            if listed is None or _is_over(meaning):
                states[job.attempt] = JobState(Phase.MISSING, reason=listed.state if listed else "")
            elif meaning is Verdict.STUCK:
                stuck[job.attempt] = listed.reason or listed.state
            elif isinstance(meaning, Phase) or job.id is None:
                phase = meaning if isinstance(meaning, Phase) else Phase.QUEUED
                states[job.attempt] = JobState(phase, reason=listed.reason, id=listed.id)
        return Sweep(states, stuck)

    def trouble(self, pieces: Mapping[str, bytes]) -> str | None:
        """As `Launcher.trouble`. A `monitor` fails also where only its job is forgotten."""
        answer = Script.answer(pieces, "list") if self._monitor_all is not None else None
        return None if answer is None or answer.status == 0 else failed_query(answer)

    def add_cancel(self, script: Script, jobs: Collection[Job], *, force: bool) -> None:
        """As `Launcher.add_cancel`. Schedulers go from TERM to KILL by themselves.

        A signal that comes while a job is being started may reach nobody; Grid Engine then stays silent for a minute.
        So what is not wanted any more is also written down where the wrapper looks before it starts anything.
        """
        del force
        script.add(f"for ck_attempt in {' '.join(job.attempt for job in jobs)}; do")
        script.add('  : >"tasks/$ck_attempt/unwanted"\ndone 2>/dev/null')
        ids = [job.id for job in jobs if job.id is not None]
        if self._kill is not None:
            for number, command in enumerate(_for_each(self._kill, ids)):
                script.call(f"kill {number}", command)

    def add_diagnose(self, script: Script, jobs: Collection[Job]) -> None:
        """As `Launcher.add_diagnose`. What lists jobs is asked as well: its word counts for more than accounting's."""
        if self._monitor_all is not None:
            script.call("list", self._monitor_all.fill({}))
        ids = [job.id for job in jobs if job.id is not None]
        if self._diagnose is not None:
            for number, command in enumerate(_for_each(self._diagnose, ids)):
                script.call(f"diagnose {number}", command)

    def diagnosed(
        self, pieces: Mapping[str, bytes], jobs: Collection[Job], *, recorded: bool
    ) -> Mapping[str, Finding | None]:
        """As `Launcher.diagnosed`."""
        findings: dict[str, Finding | None] = {}
        known = {job.id: job.attempt for job in jobs if job.id is not None}
        said = self._said(pieces, list(known))
        listed = _listing(pieces)
        for found, attempt in known.items():
            state = classify(self._config, listed[found]) if found in listed else None
            if isinstance(state, Verdict):
                findings[attempt] = Finding(state, _words(listed[found]))
            elif state is Phase.QUEUED and recorded:
                findings[attempt] = Finding(Verdict.PREEMPTED, f"requeued ({_words(listed[found])})")
            elif state is not None:
                findings[attempt] = None
            elif told := verdict_of(self._config, said.get(found, "")):
                findings[attempt] = Finding(*told)
        return findings

    def _seen(self, pieces: Mapping[str, bytes], jobs: Collection[Job]) -> Iterator[tuple[Job, Listed | None]]:
        """Each job with its line of the listing; None if a successful query did not list it."""
        if self._monitor_all is None:
            yield from self._looked(pieces, jobs)
            return
        answer = Script.answer(pieces, "list")
        if answer is None or answer.status != 0:
            return
        listed = listing(answer.stdout)
        self._user_jobs = sum(not _is_over(classify(self._config, job)) for job in listed.values())
        by_name = {entry.name: entry for entry in listed.values()}
        for job in jobs:
            yield job, listed.get(job.id) if job.id is not None else by_name.get(job.attempt)

    def _looked(self, pieces: Mapping[str, bytes], jobs: Collection[Job]) -> Iterator[tuple[Job, Listed | None]]:
        """From one `monitor` a job: exit status 0 with no output is MISSING, any other no information for an hour."""
        now = self._clock()
        lost_after = _LOST_AFTER if self._config.lost_after is None else self._config.lost_after
        for job in jobs:
            answer = Script.answer(pieces, f"look {job.attempt}")
            if job.id is None:
                yield job, None
            if answer is None or job.id is None:
                continue
            words = answer.stdout.split()
            if answer.status == 0:
                self._heard[job.attempt] = now
                yield job, Listed(job.id, words[0], " ".join(words[1:])) if words else None
            elif now - self._heard.setdefault(job.attempt, now) >= lost_after:
                yield job, None

    def _longest_unheard(self, jobs: Collection[Job]) -> Sequence[Job]:
        known = [job for job in jobs if job.id is not None]
        return sorted(known, key=lambda job: self._heard.get(job.attempt, 0.0))[:_LOOKS_A_SWEEP]

    def _said(self, pieces: Mapping[str, bytes], ids: Sequence[str]) -> Mapping[str, str]:
        """What `diagnose` said of each job. A failed call says nothing."""
        if self._diagnose is None:
            return {}
        calls = len(list(_for_each(self._diagnose, ids)))
        answers = [Script.answer(pieces, f"diagnose {number}") for number in range(calls)]
        texts = [answer.stdout if answer is not None and answer.status == 0 else "" for answer in answers]
        if "job_ids" not in self._diagnose.names:
            return dict(zip(ids, texts, strict=True))
        return per_job("\n".join(texts), ids)


def _is_over(meaning: Phase | Verdict | None) -> bool:
    return isinstance(meaning, Verdict) and meaning is not Verdict.STUCK


def _words(listed: Listed) -> str:
    return " ".join(word for word in (listed.state, listed.reason) if word not in {"", "None"})


def _parsed(text: str | None, label: str) -> Template | None:
    return None if text is None else Template.parse(text, label=label)


def _for_each(template: Template, ids: Sequence[str]) -> Iterator[str]:
    """One command for many ids where the template takes `~{job_ids}`, else one for each."""
    if "job_ids" not in template.names:
        yield from (template.fill({"job_id": job, "job_ids": job}) for job in ids)
        return
    for start in range(0, len(ids), _IDS_A_CALL):
        some = tuple(ids[start : start + _IDS_A_CALL])
        yield template.fill({"job_ids": some, "job_id": some[0]})


def _listing(pieces: Mapping[str, bytes]) -> Mapping[str, Listed]:
    answer = Script.answer(pieces, "list")
    return listing(answer.stdout) if answer is not None and answer.status == 0 else {}


_SUBMIT = r"""
ck_submitting() { # what a submit finds in its environment, for templates that say nothing of these
  ck_scrub
  export SBATCH_NO_REQUEUE=1 SBATCH_EXPORT=NONE SBATCH_JOB_NAME
}
ck_submit() { # attempt, command
  local begin status
  ck_now; begin=$ck_t
  SBATCH_JOB_NAME=$1
  (cd "tasks/$1" && ck_run "$2") >"tasks/$1/submit.out" 2>"tasks/$1/submit.err" </dev/null
  status=$?
  printf '%s' "$status" >"tasks/$1/submit.status"
  ck_now
  ck_log "$begin" "$ck_t" "$status" "submit $1"
}
ck_run() { # command; one that is a program and its words takes our place, which saves a process for each submit
  case $1 in
    *[\;\&\|\(\)\<\>\`]* | *$'\n'*) ;;
    *) ! declare -F -- "${1%% *}" && type -P -- "${1%% *}" && set -- "exec $1" ;;
  esac >/dev/null
  eval "$1"
}
""".strip()
