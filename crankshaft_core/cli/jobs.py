"""`crankshaft jobs`: what was handed over and is not done, whether or not its client still lives."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Mapping

from crankshaft_core.backends.base import JobState
from crankshaft_core.cli import exit_codes
from crankshaft_core.cli.arguments import Invocation
from crankshaft_core.cli.asking import states
from crankshaft_core.cli.tasks_noted import Noted, noted
from crankshaft_core.cli.terminal import print_table, say
from crankshaft_core.config import Config
from crankshaft_core.journal import Stage

__all__ = ["main"]

_HEADINGS = ("ID", "NAME", "BACKEND", "JOB", "STATE", "SINCE", "CLIENT")


def main(invocation: Invocation) -> int:
    """Print the tasks that are not done (`--all`: all of them), with what their backends say now."""
    options = invocation.options
    config = Config.load(options.config)
    tasks = [task for task in noted(options) if options.run in (None, task.run) and (options.all or not task.done)]
    to_ask: list[Noted] = [] if options.offline else [task for task in tasks if not task.done]
    asked = asyncio.run(states(config, to_ask))
    if options.json:
        for task in tasks:
            sys.stdout.write(json.dumps(_facts(task, asked)) + "\n")
    elif tasks:
        print_table(_HEADINGS, [_row(task, asked) for task in tasks])
    else:
        say("nothing is running or waiting" if not options.all else "no journal here holds a task")
    return exit_codes.OK


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
        "written": entry.written,
        "client": task.owner,
        "journal": str(task.journal),
    }


def _row(task: Noted, asked: Mapping[str, JobState]) -> tuple[str, ...]:
    entry = task.entry
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.written))
    client = task.owner or ("" if task.done else "gone")
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
