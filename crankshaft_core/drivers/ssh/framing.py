"""Scripts and answers on one long-lived bash: what is sent, and how the two streams that come back are read.

Pure text, no I/O. The other side runs `PROGRAM`, which reads requests from its standard input: one line `key call
script-size stdin-size`, then as many bytes of script and of stdin. Each script runs in a subshell of its own, and on
both streams its output stands between `call begin` and `call end STATUS`. Key and call are random, so nothing that a
profile, a banner or a file says can be taken for a frame, and a line without the key ends the shell instead of being
run: bytes of a file never become commands, even when a transfer breaks off.
"""

from __future__ import annotations

import secrets
import shlex
from dataclasses import dataclass

__all__ = ["BASH", "Hello", "Process", "Stream", "bootstrap", "end_group", "new_token", "request"]

BASH = "exec bash --noprofile --norc"
"""What the user's own login shell is asked to run. It reads the same in bash, zsh, csh and fish."""

CHATTER_KEPT = 2000
"""Bytes kept of what was printed outside of all frames, for messages."""

# The shell itself counts bytes, hence LC_ALL=C; each script gets the locale back that the login gave, without
# bash's complaint about one that is not installed there.
# `head` reads not a byte more than it is told, and the loop behind
# the script reads what that has left, or `head` would die with the rest still to come.
PROGRAM = r"""
set +xv
ck_locale=${LC_ALL-} ck_had_locale=${LC_ALL+yes} LC_ALL=C
ck_run() {
  exec 3<&-
  { if [[ $ck_had_locale ]]; then LC_ALL=$ck_locale; else unset LC_ALL; fi; } 2>/dev/null
  eval "$ck_script"
}
ck_stat=
[[ ! -r /proc/$$/stat ]] || read -r ck_stat </proc/$$/stat
set -- "$1" ${ck_stat##*) }
printf '%s hello %s %s %s\n' "$1" $$ "${4:-0}" "${21:-0}"
while IFS=' ' read -r -u 3 ck_key ck_call ck_size ck_body; do
  [[ $ck_key == "$1" ]] || exit 97
  IFS= read -r -u 3 -N "$ck_size" ck_script || [[ $ck_size == 0 ]] || exit 98
  printf '%s begin\n' "$ck_call"
  printf '%s begin\n' "$ck_call" >&2
  if [[ $ck_body == 0 ]]; then
    (ck_run) </dev/null
  else
    head -c "$ck_body" <&3 | {
      (ck_run)
      ck_status=$?
      while IFS= read -r -N 65536 ck_rest; do :; done
      exit $ck_status
    }
  fi
  ck_status=$?
  printf '%s end %s\n' "$ck_call" $ck_status
  printf '%s end %s\n' "$ck_call" $ck_status >&2
done
"""


def new_token() -> str:
    """A word that nobody else can guess."""
    return secrets.token_hex(16)


def bootstrap(key: str, *, login: bool = False) -> bytes:
    """What a fresh `BASH` is told first. A profile cannot read from the stream, since that is moved to descriptor 3."""
    flags = "-l" if login else "--noprofile --norc"
    program = f"<(printf %s {shlex.quote(PROGRAM)})"  # not an argument, which would fill the screen of whoever runs ps
    return f"exec 3<&0; exec bash {flags} {program} {key} </dev/null\n".encode()


def request(key: str, call: str, *, script: bytes, stdin_size: int) -> bytes:
    """A script's frame. Exactly `stdin_size` bytes of standard input must follow it."""
    return f"{key} {call} {len(script)} {stdin_size}\n".encode() + script


@dataclass(frozen=True, slots=True)
class Process:
    """A shell on the other side. All 0 where there is no proc(5)."""

    pid: int
    group: int
    """Its process group: the shell and what it runs."""
    started: int
    """In clock ticks since boot; with the pid, it names one process for ever."""


def end_group(shell: Process) -> str:
    """A script that ends an older shell and what still runs in it, if that is still the same process."""
    return f"""
read -r stat </proc/{shell.pid}/stat
set -- ${{stat##*) }}
if [[ ${{20}} == {shell.started} && $3 == {shell.group} ]]; then kill -TERM -- -{shell.group}; fi
"""


class Hello:
    """The first sign of life of a shell, somewhere behind the login's chatter."""

    def __init__(self, key: str) -> None:
        self._marker = f"{key} hello ".encode()
        self._held = b""
        self.shell: Process | None = None
        """The shell, once it has spoken."""

    def feed(self, data: bytes) -> None:
        """Take more of the standard output."""
        self._held += data
        start = self._held.find(self._marker)
        end = self._held.find(b"\n", start)
        if start >= 0 and end >= 0:
            pid, group, started = self._held[start + len(self._marker) : end].split()
            self.shell = Process(int(pid), int(group), int(started))
        elif start < 0:
            self._held = self._held[-CHATTER_KEPT:]

    @property
    def chatter(self) -> bytes:
        """The last of what was printed instead."""
        return self._held


class Stream:
    """One of the two streams of one call: finds the frame in it, and lets its content through."""

    def __init__(self, call: str) -> None:
        self._begin = f"{call} begin\n".encode()
        self._end = f"{call} end ".encode()
        self._held = b""
        self._begun = False
        self.status: int | None = None
        """The script's exit status, once the frame has ended."""

    def feed(self, data: bytes) -> bytes:
        """Take more of the stream; return what is surely content of the frame."""
        self._held += data
        if not self._begun:
            self._find_begin()
        return self._content() if self._begun and self.status is None else b""

    @property
    def chatter(self) -> bytes:
        """Outside of the frame: what was printed where its beginning was awaited."""
        return b"" if self._begun else self._held

    def _find_begin(self) -> None:
        at = self._held.find(self._begin)
        if at < 0:
            self._held = self._held[-CHATTER_KEPT:]
            return
        self._begun = True
        self._held = self._held[at + len(self._begin) :]

    def _content(self) -> bytes:
        at = self._held.find(self._end)
        if at < 0:
            at = max(0, len(self._held) - len(self._end) + 1)
        content, self._held = self._held[:at], self._held[at:]
        line, newline, _ = self._held.partition(b"\n")
        if newline and line.startswith(self._end):
            self.status = int(line[len(self._end) :])
        return content
