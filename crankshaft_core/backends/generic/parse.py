"""What schedulers print, read with the regular expressions of a backend. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from crankshaft_core.backends.base import Phase
from crankshaft_core.backends.generic.frames import Answer
from crankshaft_core.config import GenericConfig
from crankshaft_core.config.generic import States
from crankshaft_core.errors import AuthenticationError, BackendError, SubmitDeferred, SubmitError, SubmitInDoubt
from crankshaft_core.task import Verdict

__all__ = ["Listed", "classify", "failed_query", "job_id", "listing", "per_job", "submit_failure", "verdict_of"]

_VERDICTS: Mapping[str, Verdict] = {
    "oom": Verdict.OUT_OF_MEMORY,
    "timeout": Verdict.TIME_LIMIT,
    "preempted": Verdict.PREEMPTED,
    "infra": Verdict.NODE_FAILURE,
    "stuck": Verdict.STUCK,
    "cancelled": Verdict.CANCELLED,
    "failed": Verdict.FAILED,
    "ok": Verdict.OK,
}
"""The keys of the configuration's `verdict` table, most telling first."""


_COMMON = States(pending="PENDING|CONFIGURING|PEND|QUEUED|Q|H?qw|hqw|I|IDLE", running="RUNNING|COMPLETING|RUN|R|r|E|t")
"""What Slurm, LSF, PBS and Grid Engine call waiting and running, for templates that come without a `states` table."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of `monitor_all`: `id|state|reason`, and the job's name where the system prints it."""

    id: str
    state: str
    reason: str = ""
    name: str = ""


def job_id(config: GenericConfig, stdout: str) -> str | None:
    """The first group of `job_id_regex` in what `submit` printed. `^` and `$` are the ends of lines."""
    match = re.search(config.job_id_regex or "(?!)", stdout, re.MULTILINE)
    return match[1] if match else None


def submit_failure(config: GenericConfig, answer: Answer) -> BackendError:
    """What a submit without a job id means."""
    said = f"{answer.stderr}\n{answer.stdout}"
    what = f"{config.name}: {_gist(said) or f'submit ended with exit status {answer.status} and no message'}"
    patterns = config.submit_errors
    if _found(patterns.ambiguous, said):
        return SubmitInDoubt(what)
    if _found(patterns.limit, said):
        return SubmitDeferred(what)
    if _found(patterns.authentication, said):
        return AuthenticationError(what)
    if answer.status == 0:
        return SubmitError(f"{what}: job_id_regex {config.job_id_regex!r} finds no job id in that")
    return SubmitError(what)


def failed_query(answer: Answer) -> str:
    """What a system says that does not answer."""
    return _gist(f"{answer.stderr}\n{answer.stdout}") or f"the query ended with exit status {answer.status}"


def listing(stdout: str) -> Mapping[str, Listed]:
    """The jobs that `monitor_all` lists, by id. Lines without a `|` are chatter."""
    jobs = (_listed(line) for line in stdout.splitlines() if "|" in line)
    return {job.id: job for job in jobs if job.id}


def classify(config: GenericConfig, job: Listed) -> Phase | Verdict | None:
    """What a state means: where the job is, how it ended, or nothing that we know."""
    states = config.states if config.states != States() else _COMMON
    if _is(states.stuck, job.state):
        return Verdict.STUCK
    if _is(states.pending, job.state):
        return Verdict.STUCK if _is(config.reasons.stuck, job.reason) else Phase.QUEUED
    if _is(states.running, job.state):
        return Phase.RUNNING
    patterns = ((verdict, getattr(config.verdict, key)) for key, verdict in _VERDICTS.items())
    return next((verdict for verdict, text in patterns if _is(text, job.state) or _is(text, job.reason)), None)


def verdict_of(config: GenericConfig, said: str) -> tuple[Verdict, str] | None:
    """How a job ended by the words of `diagnose`, and the words that tell. None: they do not tell."""
    for key, verdict in _VERDICTS.items():
        pattern: str | None = getattr(config.verdict, key)
        match = re.search(pattern, said) if pattern else None
        if match:
            return verdict, _line_around(said, match)
    return None


def per_job(said: str, ids: Collection[str]) -> Mapping[str, str]:
    """The output of a command about several jobs, cut by job: a line that names one begins what is said of it."""
    cut: dict[str, list[str]] = {}
    current: str | None = None
    naming = _naming(ids)
    for line in said.splitlines():
        match = naming.search(line)
        current = match[1] if match else current
        if current is not None:
            cut.setdefault(current, []).append(line)
    return {job: "\n".join(lines) for job, lines in cut.items()}


def _naming(ids: Collection[str]) -> re.Pattern[str]:
    """Finds `12|…` (sacct), `Job Id: 12.server` (qstat) and `Job <12>, …` (bjobs), and no number further on."""
    names = "|".join(re.escape(job) for job in sorted(ids, key=len, reverse=True)) or "(?!)"
    return re.compile(rf"^(?:Job(?: Id)?:?\s*)?<?({names})(?![\w.:])")


def _listed(line: str) -> Listed:
    fields = [field.strip() for field in line.split("|")]
    return Listed(*fields[:4])


def _is(pattern: str | None, text: str) -> bool:
    return pattern is not None and text != "" and re.fullmatch(pattern, text) is not None


def _found(pattern: str | None, text: str) -> bool:
    return pattern is not None and re.search(pattern, text) is not None


def _gist(said: str) -> str:
    """The lines that say something, as one, without end."""
    lines = list(_lines(said))
    return "; ".join(lines[:3])[:500]


def _lines(said: str) -> Iterator[str]:
    return (line.strip() for line in said.splitlines() if line.strip())


def _line_around(said: str, match: re.Match[str]) -> str:
    begin = said.rfind("\n", 0, match.start()) + 1
    end = said.find("\n", match.end())
    return said[begin : end if end >= 0 else len(said)].strip()
