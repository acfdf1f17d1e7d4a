"""The directories of all runs in a work directory: whose jobs live, and which may go."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from crankshaft_core.backends.base import Cleaning, Job, JobState, Leftover, Phase, Shown
from crankshaft_core.backends.generic.frames import Script
from crankshaft_core.backends.generic.jobscript import read_header
from crankshaft_core.backends.generic.launcher import Launcher
from crankshaft_core.backends.generic.layout import in_shell
from crankshaft_core.backends.generic.parse import classify, listing
from crankshaft_core.backends.generic.processes import ProcessId
from crankshaft_core.backends.generic.remote_process import RemoteProcesses
from crankshaft_core.backends.generic.scheduler import Scheduler
from crankshaft_core.backends.generic.traces import CANCELLED
from crankshaft_core.backends.leavings import is_run, run_of
from crankshaft_core.config import GenericConfig
from crankshaft_core.drivers.base import Driver
from crankshaft_core.errors import BackendError, SubmitInDoubt, TransportError

__all__ = ["Leftovers"]

_RUNS_A_CALL = 20
"""Directories removed in one round trip, which on a parallel file system may take long."""

_STARTING = 60.0
"""Seconds within which a process that was started has taken its start lock."""

_GIB_KIB = 1024.0**2


@dataclass(frozen=True, slots=True)
class _Open:
    """An attempt that has left no exit record."""

    job: Job
    name: str
    backend: str


@dataclass(frozen=True, slots=True)
class _Run:
    """The directory of a run. `idle`: seconds since anything in it has changed; None: that could not be told."""

    run: str
    idle: float | None
    size: float
    open: tuple[_Open, ...]


class Leftovers:
    """Looks at `<work_dir>/<run>` of every run of this user. Makes nothing there, and asks the scheduler once."""

    def __init__(self, config: GenericConfig, driver: Driver, *, work_dir: str) -> None:
        self._config = config
        self._driver = driver
        self._work_dir = work_dir
        self._processes = RemoteProcesses(config.name)
        self._scheduler = Scheduler(config) if config.job_id_regex is not None else None

    async def shown(self) -> Sequence[Shown]:
        """As `Backend.shown`: attempts without a record, and what the scheduler lists under the name of one."""
        _, runs = await self._survey()
        found = [item for run in runs for item in run.open if item.backend == self._config.name]
        states, listed = await self._states(found)
        shown = [
            Shown(item.job, states.get(item.job.attempt), item.name)
            for item in found
            if not _is_over(states.get(item.job.attempt))
        ]
        known = {item.job.attempt for item in shown}
        return [*shown, *(item for item in listed if item.job.attempt not in known)]

    async def clean(self, cleaning: Cleaning) -> Sequence[Leftover]:
        """As `Backend.clean`."""
        place, runs = await self._survey()
        runs = [run for run in runs if cleaning.concerns(run.run)]
        states, _ = await self._states([item for run in runs for item in run.open if item.backend == self._config.name])
        kept = {run.run: self._kept(run, states, cleaning) for run in runs}
        going = [run.run for run in runs if not kept[run.run]]
        if not cleaning.dry_run:
            kept |= await self._removed(going)
        return [
            Leftover(
                f"directory {place}/{run.run}",
                run.run,
                run.size,
                kept=kept[run.run],
                young=run.idle is not None and cleaning.is_young(run.run, run.idle),
            )
            for run in runs
        ]

    def _kept(self, run: _Run, states: Mapping[str, JobState], cleaning: Cleaning) -> str:
        """Why the directory stays; empty if it may go."""
        if run.idle is None:
            return "its age cannot be told: find(1) there knows no -printf"
        if spared := cleaning.spares(run.run, run.idle):
            return spared
        others = {item.backend for item in run.open if item.backend != self._config.name}
        if others:
            return f"holds jobs without an exit record of backend {', '.join(sorted(others))}, which alone can be asked"
        left = [item for item in run.open if not _is_over(states.get(item.job.attempt))]
        return _why_live(left, states) if left else ""

    async def _survey(self) -> tuple[str, list[_Run]]:
        """The work directory as it is called there, and the runs in it. A work directory that is not there has none."""
        script = Script()
        script.add(_SURVEY)
        script.add(f"! cd -- {in_shell(self._work_dir)} 2>/dev/null || ck_survey")
        pieces = await self._call(script, timeout=300.0)
        place = pieces.get("place", b"").decode("utf-8", "surrogateescape").strip()
        now = float(pieces.get("now", b"0"))
        names = [name.removeprefix("run ") for name in pieces if name.startswith("run ")]
        return place, [self._run(name, pieces, now) for name in names if is_run(name)]

    def _run(self, name: str, pieces: Mapping[str, bytes], now: float) -> _Run:
        newest, _, size = pieces[f"run {name}"].decode().strip().partition(" ")
        idle = max(0.0, now - float(newest)) if newest not in ("", "0") else None
        attempts = [piece.removeprefix("open ") for piece in pieces if piece.startswith(f"open {name}-")]
        starting = idle is not None and idle < _STARTING
        opened = (self._open(attempt, name, pieces, starting=starting) for attempt in attempts)
        return _Run(name, idle, float(size or 0) / _GIB_KIB, tuple(item for item in opened if item is not None))

    def _open(self, attempt: str, run: str, pieces: Mapping[str, bytes], *, starting: bool) -> _Open | None:
        """The attempt with its job's id, where that is known; None for one that cannot have a job any more."""
        header = read_header(f"#!\n{pieces[f'open {attempt}'].decode('utf-8', 'replace').strip()}\n")
        backend = str(header.get("backend") or self._config.name)
        owner = pieces.get(f"owner {attempt}", b"").decode("utf-8", "replace").strip()
        if owner == CANCELLED:
            return None
        job: str | None = owner or None
        if job is None and backend == self._config.name:
            try:
                job = None if self._scheduler is None else self._scheduler.submitted(pieces, attempt)
            except SubmitInDoubt:
                job = None
            except BackendError:  # it was refused
                return None
            if self._scheduler is None and not starting:
                return None  # a process takes the lock before anything else
        return _Open(Job(attempt, run, job), str(header.get("name", "")), backend)

    async def _states(self, found: Sequence[_Open]) -> tuple[Mapping[str, JobState], Sequence[Shown]]:
        """What is known of these, by attempt; and the scheduler's jobs that are named as ours are."""
        processes = [item.job for item in found if ProcessId.parse(item.job.id or "") is not None]
        jobs = [item.job for item in found if item.job not in processes]
        asked: list[tuple[Launcher, list[Job]]] = [(self._processes, processes)]
        if self._scheduler is not None:
            asked.append((self._scheduler, jobs))
        script = Script()
        script.add(_NO_LOG)
        for launcher, some in asked:
            launcher.add_sweep(script, some)
        pieces = await self._call(script)
        states: dict[str, JobState] = {}
        for launcher, some in asked:
            swept = launcher.swept(pieces, some)
            states |= swept.states
            states |= {attempt: JobState(Phase.QUEUED, reason=why) for attempt, why in swept.stuck.items()}
        return states, list(self._listed(pieces))

    def _listed(self, pieces: Mapping[str, bytes]) -> Iterator[Shown]:
        """Where the listing tells names: jobs whose directory is gone, or in another work directory."""
        answer = Script.answer(pieces, "list")
        for entry in listing(answer.stdout).values() if answer is not None and answer.status == 0 else ():
            run, meaning = run_of(entry.name), classify(self._config, entry)
            if run is not None and isinstance(meaning, Phase):
                yield Shown(Job(entry.name, run, entry.id), JobState(meaning, reason=entry.reason))

    async def _removed(self, runs: Sequence[str]) -> Mapping[str, str]:
        """Remove the directories; by run, why one of them is still there."""
        kept: dict[str, str] = {}
        for start in range(0, len(runs), _RUNS_A_CALL):
            some = runs[start : start + _RUNS_A_CALL]
            script = Script()
            script.add(_REMOVE)
            script.add(f"! cd -- {in_shell(self._work_dir)} || ck_remove {shlex.join(some)}")
            pieces = await self._call(script, timeout=600.0)
            said = {run: pieces.get(f"removed {run}", b"no answer").decode("utf-8", "replace") for run in some}
            kept |= {run: " ".join(words.split())[:300] for run, words in said.items() if words.strip()}
        return kept

    async def _call(self, script: Script, *, timeout: float = 60.0) -> Mapping[str, bytes]:
        done = await self._driver.run(script.text, timeout=timeout)
        pieces = script.pieces(done.stdout)
        if "end" not in pieces:
            raise TransportError(f"{self._config.name}: the answer from {self._driver.where} was cut off")
        return pieces


def _is_over(state: JobState | None) -> bool:
    """A state of None is no information, and then a job may well live."""
    return state is not None and state.phase in (Phase.ENDED, Phase.MISSING)


def _why_live(left: Collection[_Open], states: Mapping[str, JobState]) -> str:
    names = ", ".join(sorted(item.job.id or item.job.attempt for item in left)[:5])
    if all(states.get(item.job.attempt) is None for item in left):
        return f"whether its jobs live cannot be told: {names}"
    return f"has live jobs: {names}"


_NO_LOG = "ck_log() { :; } # asked by hand, and in no run's directory"

_SURVEY = r"""
ck_survey() { # of where we are; ours are real directories of this user with everything in them that a run makes
  local run task
  ck_piece place; pwd
  ck_piece now; date +%s
  for run in [a-z]*/; do
    run=${run%/}
    [ ! -L "$run" ] && [ -O "$run" ] && [ -f "$run/wrapper" ] || continue
    [ -d "$run/done" ] && [ -d "$run/seen" ] && [ -d "$run/tasks" ] || continue
    ck_piece "run $run"
    find "$run" -printf '%T@ %k\n' 2>/dev/null |
      awk '{ if ($1 + 0 > newest) newest = $1 + 0; size += $2 } END { printf "%d %d\n", newest, size }'
    for task in "$run"/tasks/*/; do
      [ ! -d "$task" ] || (cd -- "$run" && task=${task%/} && ck_open "${task##*/}")
    done
  done
}
ck_open() { # attempt, unless it has an exit record
  [ ! -e "done/$1" ] && [ ! -e "seen/$1" ] || return
  ck_piece "open $1"; sed -n 2p "tasks/$1/job" 2>/dev/null
  ck_piece "owner $1"; readlink "tasks/$1/start" || head -n 1 "tasks/$1/start" 2>/dev/null # a link, or a file
  ck_submitted "$1"
}
""".strip()

_REMOVE = r"""
ck_remove() { # runs; what another kind of backend keeps there is called <run>-..., and is that one's business
  local run
  for run; do
    ck_piece "removed $run"
    find "$run" -mindepth 1 -maxdepth 1 ! -name "$run-*" -exec rm -rf -- {} + 2>&1
    rmdir -- "$run" 2>/dev/null
  done
}
""".strip()
