"""Is the place where the templates run reachable and usable? One harmless round trip."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterator, Mapping

from crankshaft_core.backends.base import Health
from crankshaft_core.backends.clocks import ahead, disagreement
from crankshaft_core.backends.generic.frames import Script
from crankshaft_core.backends.generic.layout import in_shell
from crankshaft_core.backends.generic.room import Room, full
from crankshaft_core.backends.generic.trial import placement, trial_command
from crankshaft_core.config import GenericConfig, memory_mistake
from crankshaft_core.drivers.base import Driver
from crankshaft_core.errors import BackendError, SubmitError

__all__ = ["check"]


async def check(config: GenericConfig, driver: Driver, *, work_dir: str) -> Health:
    """Says what is wrong; raises nothing for a place that is down."""
    script, untried = _questions(config, work_dir)
    asked = time.time()
    try:
        done = await driver.run(script.text, timeout=60.0)
    except BackendError as error:
        return Health(ok=False, summary=str(error))
    answered = time.time()
    pieces = {name: content.decode("utf-8", "replace").strip() for name, content in script.pieces(done.stdout).items()}
    where = f"{pieces.get('who', 'somebody')} on {driver.where}"
    room = Room(pieces.get("space", ""), pieces.get("inodes", ""), pieces.get("quota", ""))
    placed, unplaced = _placing(config, script.pieces(done.stdout))
    warnings = (*room.warnings(), *_skew(pieces, asked, answered, driver))
    if problems := list(_problems(config, pieces, work_dir)):
        return Health(ok=False, summary=f"{where}: {'; '.join(problems)}", warnings=warnings)
    warnings = (*warnings, *untried, *unplaced)
    notes = (*room.notes(), *placed, *_notes(config))
    return Health(ok=True, summary=f"{where}, work_dir {work_dir}", notes=notes, warnings=warnings)


def _questions(config: GenericConfig, work_dir: str) -> tuple[Script, list[str]]:
    """The script, and what could not be asked."""
    script, untried = Script(), list[str]()
    script.add(_CHECK)
    script.add(f"ck_writable {in_shell(work_dir)}")
    commands = [shlex.split(config.shell)[0], *_first_words(config)]
    script.add(f"ck_commands {shlex.join(commands)}")
    if config.monitor_all is not None:
        script.add("ck_piece list")
        script.add(f"(ck_scrub; set -o pipefail; {config.monitor_all}\n) </dev/null >/dev/null 2>&1; echo $?")
    try:
        trial = trial_command(config)
    except SubmitError as error:
        trial = None
        untried.append(f"a task that asks for the defaults cannot be submitted: {error}")
    if trial is not None:
        script.add(f"ck_trial {shlex.quote(trial)}")
    return script, untried


def _problems(config: GenericConfig, pieces: Mapping[str, str], work_dir: str) -> Iterator[str]:
    for line in pieces.get("problems", "no answer").splitlines():
        lack = full(line)
        yield f"{work_dir}: {lack}. Set work_dir to scratch or run 'crankshaft clean'" if lack else line
    yield from pieces.get("missing", "").splitlines()
    if mistake := memory_mistake(config.submit):
        yield f"submit: {mistake}"
    if pieces.get("list", "0") != "0":
        yield f"monitor_all ended with exit status {pieces['list']}"


def _placing(config: GenericConfig, pieces: Mapping[str, bytes]) -> tuple[list[str], list[str]]:
    """A note on where a task would go, or a warning that it would go nowhere."""
    answer = Script.answer(pieces, "trial")
    if answer is None:
        return [], []
    good, words = placement(config, answer)
    if good:
        return [f"a task that asks for the defaults: {words}"], []
    return [], [f"a task that asks for the defaults would not start: {words}"]


def _skew(pieces: Mapping[str, str], asked: float, answered: float, driver: Driver) -> Iterator[str]:
    """Its clock was read between two readings of ours."""
    match = re.match(r"\d+(\.\d+)?", pieces.get("clock", ""))
    if match is None or driver.local:
        return
    there = float(match[0])
    said = disagreement(driver.where, ahead(there, there, after=asked, before=answered))
    if said is not None:
        yield said


def _first_words(config: GenericConfig) -> list[str]:
    """The commands that the templates begin with, and what runs images."""
    templates = (config.submit, config.monitor_all, config.monitor, config.kill, config.diagnose)
    words = [text.split()[0] for text in templates if text and text.split()]
    if config.container is not None and not config.prologue:  # which may bring it
        words.append(config.container)
    return list(dict.fromkeys(word for word in words if re.fullmatch(r"[\w./+-]+", word)))


def _notes(config: GenericConfig) -> list[str]:
    slots = f"{config.max_tasks} tasks at once"
    return [slots, f"preset {config.preset}"] if config.preset else [slots]


_CHECK = r"""
ck_log() { :; } # no run's directory is made for a check
ck_writable() { # directory, which may have to be made yet
  local place=$1 probe said
  while [ ! -e "$place" ] && [ "$place" != "${place%/*}" ]; do place=${place%/*}; done
  place=${place:-/}
  ck_piece clock; date +%s.%N
  ck_piece who; printf '%s' "$(id -un)"
  ck_piece space; LC_ALL=C df -Pk -- "$place" 2>/dev/null
  ck_piece inodes; LC_ALL=C df -Pi -- "$place" 2>/dev/null
  ck_piece quota; LC_ALL=C quota -wp 2>/dev/null
  ck_piece problems
  if [ ! -d "$place" ]; then echo "work_dir: $place is no directory"; return; fi
  [ -w "$place" ] && [ -x "$place" ] || { echo "work_dir: $place cannot be written to"; return; }
  probe=$place/.crankshaft-check.$$
  said=$(LC_ALL=C; export LC_ALL; { head -c 65536 /dev/zero >"$probe"; } 2>&1) || echo "work_dir: ${said##*: }: $place"
  rm -f -- "$probe"
}
ck_commands() { # names
  local name
  ck_piece missing
  for name; do type "$name" >/dev/null 2>&1 || echo "$name: command not found"; done
}
ck_trial() { # command, which reads a script
  ck_piece trial; (ck_scrub; printf '#!/bin/bash\nexit 0\n' | eval "$1") 2>&1
  local status=$?
  ck_piece 'trial stderr'
  ck_piece 'trial status'; printf '%s' "$status"
}
""".strip()
