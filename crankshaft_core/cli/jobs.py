"""`crankshaft jobs`: what was handed over and is not done, whether or not its client still lives."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Mapping, Sequence

from crankshaft_core.backends.base import JobState, Shown
from crankshaft_core.cli import exit_codes
from crankshaft_core.cli.arguments import Invocation
from crankshaft_core.cli.asking import shown_by, states
from crankshaft_core.cli.tasks_noted import Noted, noted, stray
from crankshaft_core.cli.terminal import print_table, say
from crankshaft_core.config import Config
from crankshaft_core.journal import Stage

__all__ = ["main"]

_HEADINGS = ("ID", "NAME", "BACKEND", "JOB", "STATE", "SINCE", "CLIENT")


def main(invocation: Invocation) -> int:
    """Print the tasks that are not done (`--all`: all of them), with what their backends say now."""
    options = invocation.options
    config = Config.load(options.config)
    known = noted(options)
    strays: Mapping[str, Shown] = {}
    if options.backend is not None and not options.offline:
        strays = _strays(asyncio.run(shown_by(config, options.backend)), known)
    found = [*known, *(stray(item, str(options.backend)) for item in strays.values())]
    tasks = [task for task in found if _is_wanted(task, options)]
    to_ask = [task for task in tasks if not task.done and task.journal is not None and not options.offline]
    asked = asyncio.run(states(config, to_ask))
    asked = {**asked, **{attempt: item.state for attempt, item in strays.items() if item.state is not None}}
    if options.json:
        for task in tasks:
            sys.stdout.write(json.dumps(_facts(task, asked)) + "\n")
    elif tasks:
        print_table(_HEADINGS, [_row(task, asked) for task in tasks])
    else:
        say("nothing is running or waiting" if not options.all else "no journal here holds a task")
    return exit_codes.OK


def _is_wanted(task: Noted, options: argparse.Namespace) -> bool:
    here = options.run in (None, task.run) and options.backend in (None, task.entry.backend)
    return here and (options.all or not task.done)


def _strays(shown: Sequence[Shown], known: Sequence[Noted]) -> Mapping[str, Shown]:
    """By attempt, what no journal here tells of."""
    noted_here = {task.entry.attempt for task in known}
    return {item.job.attempt: item for item in shown if item.job.attempt not in noted_here}


def _facts(task: Noted, asked: Mapping[str, JobState]) -> Mapping[str, object]:
    entry, state = task.entry, asked.get(task.entry.attempt)
    return {
        "id": entry.attempt,
        "run": task.run,
        "name": entry.name,
        "backend": entry.backend,
        "job": entry.job,
        "stage": entry.stage.value,
        "phase": state.phase.value if state else None,
        "reason": (state.reason or None) if state else None,
        "node": state.node if state else None,
        "verdict": verdict(task),
        "written": entry.written or None,
        "client": task.owner,
        "journal": str(task.journal) if task.journal else None,
    }


def _row(task: Noted, asked: Mapping[str, JobState]) -> tuple[str, ...]:
    entry = task.entry
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.written)) if entry.written else ""
    client = task.owner or ("no journal here" if task.journal is None else "" if task.done else "gone")
    return (entry.attempt, entry.name, entry.backend, entry.job or "", _state(task, asked), since, client)


def _state(task: Noted, asked: Mapping[str, JobState]) -> str:
    state = asked.get(task.entry.attempt)
    if state is None:
        return verdict(task) or _WORDS[task.entry.stage]
    where = f" on {state.node}" if state.node else ""
    why = f" ({state.reason})" if state.reason else ""
    return f"{state.phase.value}{where}{why}"


def verdict(task: Noted) -> str | None:
    """How a task ended, in one word; None for one that has not."""
    return str(json.loads(task.entry.outcome)["verdict"]).replace("_", " ") if task.entry.outcome else None


_WORDS: Mapping[Stage, str] = {
    Stage.INTENDED: "perhaps submitted",
    Stage.SUBMITTED: "submitted",
    Stage.ENDED: "ended",
    Stage.FINISHED: "ended",
}
