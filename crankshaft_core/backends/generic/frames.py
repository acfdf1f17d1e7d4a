"""Scripts that do many things in one round trip, and their output cut into pieces again.

Each piece begins with a line that holds a token nobody else can know, so a login banner, or a scheduler's chatter, is
never taken for an answer.
"""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Answer", "Script"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one command of a script left."""

    status: int
    stdout: str
    stderr: str


class Script:
    """A bash script under construction, for one call of `Driver.run`."""

    def __init__(self) -> None:
        self._token = f"crankshaft-{secrets.token_hex(8)}"
        self._lines = [_FUNCTIONS.replace("@TOKEN@", self._token)]

    def add(self, text: str) -> None:
        """More shell text. Pieces of output begin with the shell function `ck_piece NAME`."""
        self._lines.append(text)

    def call(self, name: str, command: str) -> None:
        """Run a command of the scheduler's, logged; its answer is called `name`."""
        self._lines.append(f"ck_call {shlex.quote(name)} {shlex.quote(command)}")

    @property
    def text(self) -> str:
        """The whole script."""
        return "\n".join([*self._lines, "ck_piece end", ""])

    def pieces(self, output: bytes) -> Mapping[str, bytes]:
        """What was printed under each name. Without the piece `end` the output was cut off."""
        parts = re.split(rb"\n%s ([^\n]*)\n" % self._token.encode(), output)
        return {name.decode(): content for name, content in zip(parts[1::2], parts[2::2], strict=True)}

    @staticmethod
    def answer(pieces: Mapping[str, bytes], name: str) -> Answer | None:
        """The answer of a `call`; None if it was never made."""
        try:
            status = int(pieces[f"{name} status"])
        except (KeyError, ValueError):
            return None
        return Answer(status, _text(pieces.get(name, b"")), _text(pieces.get(f"{name} stderr", b"")))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


_FUNCTIONS = r"""
set +e +u
ck_piece() { printf '\n@TOKEN@ %s\n' "$1"; }
ck_now() { ck_t=${EPOCHREALTIME:-$(date +%s)}; }
ck_log() { # begin, end, status, what
  printf '%s %s %s %s\n' "$@" >>commands.log
}
ck_scrub() { # what a job around us has set would pass for options of the new one
  local name
  for name in ${!SLURM_*} ${!SBATCH_*} ${!PBS_*} ${!LSB_*}; do
    [ "$name" = SLURM_CONF ] || unset "$name"
  done
  unset JOB_ID FLUX_JOB_ID
  export LC_ALL=C # messages as the patterns know them
}
ck_call() { # name, command
  local begin status err
  ck_now; begin=$ck_t
  ck_piece "$1"
  { err=$( (ck_scrub; set -o pipefail; eval "$2") </dev/null 2>&1 1>&3 3>&-); status=$?; } 3>&1
  ck_now
  ck_piece "$1 stderr"; printf '%s' "$err"
  ck_piece "$1 status"; printf '%s' "$status"
  ck_log "$begin" "$ck_t" "$status" "$1"
}
ck_submitted() { # attempt; what a submit has left, also one whose answer never came
  [ -e "tasks/$1/submit.status" ] || return
  ck_piece "$1"; ck_begin "tasks/$1/submit.out"
  ck_piece "$1 stderr"; ck_begin "tasks/$1/submit.err"
  ck_piece "$1 status"; ck_begin "tasks/$1/submit.status"
}
ck_begin() { # file; without a process, since there are three of them for each submit
  local text=
  IFS= LC_ALL=C read -r -d '' -n 4096 text <"$1"
  printf '%s' "$text"
}
""".strip()
"""What scripts are made of. They run in the directory of the run, where the log is."""
