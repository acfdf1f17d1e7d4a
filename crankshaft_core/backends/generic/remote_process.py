"""Plain processes on another machine: started detached, looked at and ended by shell text."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from crankshaft_core.backends.base import Job, JobState, Phase
from crankshaft_core.backends.generic.frames import Script
from crankshaft_core.backends.generic.launcher import Finding, Submission, Sweep
from crankshaft_core.backends.generic.processes import ProcessId
from crankshaft_core.errors import SubmitError, SubmitInDoubt
from crankshaft_core.task import Verdict

__all__ = ["RemoteProcesses"]


class RemoteProcesses:
    """A `Launcher` for processes. Their id is `host:pid:start time`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._forced: set[str] = set()

    @property
    def explains(self) -> bool:
        """As `Launcher.explains`: there is nobody but the record."""
        return False

    @property
    def lags(self) -> bool:
        """As `Launcher.lags`."""
        return False

    @property
    def user_jobs(self) -> int | None:
        """As `Launcher.user_jobs`: nobody counts."""
        return None

    def is_job(self, owner: str) -> bool:
        """As `Launcher.is_job`."""
        return ProcessId.parse(owner) is not None

    def add_submit(self, script: Script, submissions: Sequence[Submission], *, at_once: int) -> None:
        """As `Launcher.add_submit`. The work is in the attempt's `job`, so the command is not looked at."""
        del at_once  # a start takes no time
        script.add(_START)
        for submission in submissions:
            script.add(f"ck_start {submission.attempt}")

    def submitted(self, pieces: Mapping[str, bytes], attempt: str) -> str:
        """As `Launcher.submitted`."""
        printed = pieces.get(attempt)
        if printed is None:
            raise SubmitInDoubt(f"{self._name}: the answer to starting {attempt} was cut off")
        process = ProcessId.parse(printed.decode(errors="replace").strip())
        if process is None:
            raise SubmitError(f"{self._name}: {attempt} could not be started: {printed.decode(errors='replace')!r}")
        return str(process)

    def add_sweep(self, script: Script, jobs: Collection[Job]) -> None:
        """As `Launcher.add_sweep`: all of them, since it costs the system nothing."""
        script.add(_ALIVE)
        script.add("ck_piece alive")
        for job in jobs:
            process = ProcessId.parse(job.id or "")
            if process is not None:
                script.add(f"ck_look {job.attempt} {process.host} {process.pid} {process.started}")

    def swept(self, pieces: Mapping[str, bytes], jobs: Collection[Job]) -> Sweep:
        """As `Launcher.swept`."""
        seen = dict(line.split() for line in pieces.get("alive", b"").decode().splitlines() if line.count(" ") == 1)
        phases = {"alive": Phase.RUNNING, "gone": Phase.MISSING}
        states = {job.attempt: JobState(phases[seen[job.attempt]]) for job in jobs if seen.get(job.attempt) in phases}
        nowhere = {job.attempt: JobState(Phase.MISSING) for job in jobs if job.id is None and "alive" in pieces}
        return Sweep(nowhere | states)

    def trouble(self, pieces: Mapping[str, bytes]) -> str | None:
        """As `Launcher.trouble`: `ps` always answers."""
        del pieces
        return None

    def add_cancel(self, script: Script, jobs: Collection[Job], *, force: bool) -> None:
        """As `Launcher.add_cancel`. By force also what has left the group is killed; asked again, the wrapper."""
        script.add(_ALIVE)
        script.add(_END)
        for job in jobs:
            process = ProcessId.parse(job.id or "")
            if process is not None:
                number = "TERM" if not force else "KILL" if job.attempt in self._forced else "VTALRM"
                script.add(f"ck_end {number} {process.host} {process.pid} {process.started}")
        if force:
            script.add(f"ck_end_marked '{'|'.join(job.attempt for job in jobs)}'")
            self._forced |= {job.attempt for job in jobs}

    def add_diagnose(self, script: Script, jobs: Collection[Job]) -> None:
        """As `Launcher.add_diagnose`: nobody can be asked, but nothing of them is left running."""
        self.add_cancel(script, jobs, force=True)
        script.add("ck_piece 'nothing left'")

    def diagnosed(
        self, pieces: Mapping[str, bytes], jobs: Collection[Job], *, recorded: bool
    ) -> Mapping[str, Finding | None]:
        """As `Launcher.diagnosed`."""
        if recorded or "nothing left" not in pieces:
            return {}
        return {job.attempt: Finding(Verdict.LOST, _gone(job)) for job in jobs if job.id is not None}


def _gone(job: Job) -> str:
    return f"process {job.id} ended without an exit record; it was killed, or the machine was restarted"


_ALIVE = r"""
IFS= read -r ck_host 2>/dev/null </proc/sys/kernel/hostname || ck_host=$(uname -n)
ck_alive() { # host, pid, start time; 2: it was another host's
  local stat
  [ "$1" = "$ck_host" ] || return 2
  if IFS= read -r stat 2>/dev/null </proc/"$2"/stat; then
    set -- "$3" ${stat##*) } # proc(5): the 22nd field, and the second may hold anything
    case $2 in Z | X) return 1 ;; esac
    [ "$1" = "${21}" ]
  elif [ -e /proc/self/stat ]; then
    return 1
  else
    kill -0 "$2" 2>/dev/null
  fi
}
ck_look() { # attempt, host, pid, start time
  ck_alive "$2" "$3" "$4"
  case $? in 0) echo "$1 alive" ;; 1) echo "$1 gone" ;; esac
}
""".strip()

_START = r"""
IFS= read -r ck_host 2>/dev/null </proc/sys/kernel/hostname || ck_host=$(uname -n)
ck_start() { # attempt
  local pid stat start=0 detach=setsid
  type setsid >/dev/null 2>&1 || detach=nohup
  CRANKSHAFT_ATTEMPT=$1 "$detach" bash "$PWD/tasks/$1/job" </dev/null >>"tasks/$1/wrapper.log" 2>&1 &
  pid=$!
  if IFS= read -r stat 2>/dev/null </proc/"$pid"/stat; then
    set -- "$1" ${stat##*) }
    start=${21}
  fi
  ck_piece "$1"
  echo "$ck_host:$pid:$start"
}
""".strip()

_END = r"""
ck_roots=' '
ck_end() { # signal, host, pid, start time
  ck_alive "$2" "$3" "$4" || return
  ck_roots="$ck_roots$3 "
  kill -"$1" "$3" && kill -CONT "$3"
}
ck_end_marked() { # attempts: those that carry their mark, but the wrappers, which still write their records
  local pid
  for pid in $(grep -lszxE "CRANKSHAFT_ATTEMPT=($1)" /proc/[0-9]*/environ 2>/dev/null); do
    pid=${pid#/proc/}; pid=${pid%/environ}
    case $ck_roots in *" $pid "*) ;; *) kill -KILL "$pid" 2>/dev/null ;; esac
  done
}
""".strip()
