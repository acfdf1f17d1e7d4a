"""The exit records of a run at another place: fetched while the jobs live, put aside once the journal holds them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from crankshaft_core.backends.base import Job
from crankshaft_core.backends.generic.frames import Script
from crankshaft_core.backends.generic.records import Record

__all__ = ["Ledger"]

_NAMES_A_CALL = 200


class Ledger:
    """A poll prints what is in `done/` and moves to `seen/` what the one before it delivered and somebody has released.

    So an answer that is lost on the way loses no record, and the cost of a poll follows the newly ended.
    """

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self._released: dict[str, bool] = {}
        """Attempts whose records the journal holds, and whether their directories may go."""
        self._known: set[str] = set()
        """Attempts that `seen/` need not be searched for."""

    def __contains__(self, attempt: str) -> bool:
        return attempt in self._records

    def get(self, attempt: str) -> Record | None:
        """The attempt's record; None if it has not come."""
        return self._records.get(attempt)

    @property
    def pending(self) -> bool:
        """Something was released that the place has not been told of."""
        return bool(self._released)

    def release(self, attempt: str, *, prune: bool) -> None:
        """The journal holds it. With `prune`, what is ours of its directory goes as well."""
        self._released[attempt] = prune
        self._known.discard(attempt)

    def expect(self, attempts: Collection[str]) -> None:
        """These were submitted just now: no earlier client can have put their records aside."""
        self._known |= set(attempts)

    def add(self, script: Script, jobs: Collection[Job]) -> Sequence[str]:
        """Put aside what was released, then print the records. Returns the former, for `take`."""
        script.add(_RECORDS)
        released = list(self._released)
        for some in _chunks(released):
            script.add(f"ck_acknowledge {' '.join(some)}; ck_forget {' '.join(some)}")
        for attempt in released:
            if self._released[attempt]:
                script.add(f"ck_prune {attempt}")
        script.add("ck_piece done; ck_records done/*")
        new = [job.attempt for job in jobs if job.attempt not in self._known]
        for some in _chunks(new):
            script.add(f"ck_records {' '.join(f'seen/{attempt}' for attempt in some)}")
        self._known |= set(new)
        return released

    def take(self, pieces: Mapping[str, bytes], released: Collection[str]) -> None:
        """The answer to `add`."""
        for attempt in released:
            self._released.pop(attempt, None)
            self._records.pop(attempt, None)
        for line in pieces.get("done", b"").decode("utf-8", "replace").splitlines():
            attempt, _, text = line.partition(" ")
            record = Record.parse(text)
            if record is not None:
                self._records[attempt] = record


def _chunks(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[start : start + _NAMES_A_CALL] for start in range(0, len(names), _NAMES_A_CALL))


_RECORDS = r"""
touch done # an NFS client then reads the directory anew
ck_records() { # files
  local file line
  for file; do
    [ ! -e "$file" ] || { IFS= read -r line <"$file" && printf '%s %s\n' "${file##*/}" "$line"; }
  done
}
ck_acknowledge() { # attempts
  local attempt
  for attempt; do
    [ ! -e "done/$attempt" ] || set -- "$@" "done/$attempt"
    shift
  done
  [ $# = 0 ] || mv -f -- "$@" seen/
}
ck_forget() { # attempts: a copy that came too late has not read its variables
  local attempt
  for attempt; do
    [ ! -e "tasks/$attempt/env" ] || rm -f -- "tasks/$attempt/env"
  done
}
ck_prune() { # attempt: what is ours goes; what the user's command has written stays
  local file
  rm -rf -- "tasks/$1"/{job,env,start,wrapper.log,sched.log,submit.out,submit.err,submit.status} "tasks/$1"/{cmd,own}.*
  for file in "tasks/$1"/{stdout,stderr}; do [ -s "$file" ] || rm -f -- "$file"; done
  rmdir -- "tasks/$1/work" 2>/dev/null
  rmdir -- "tasks/$1" 2>/dev/null
}
""".strip()
