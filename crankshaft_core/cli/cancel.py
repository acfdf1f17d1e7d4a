"""`crankshaft cancel`: end tasks whose client is gone, or that another client looks after."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Mapping, Sequence

from crankshaft_core.backends.base import Backend, Job, Outcome, Phase
from crankshaft_core.cli import exit_codes
from crankshaft_core.cli.arguments import Invocation
from crankshaft_core.cli.asking import each_place, shown_by
from crankshaft_core.cli.tasks_noted import Noted, chosen, noted, stray
from crankshaft_core.cli.terminal import say
from crankshaft_core.config import Config
from crankshaft_core.engine.results import to_journal
from crankshaft_core.errors import BackendError, ConfigError, JournalInUseError
from crankshaft_core.journal import Journal, Stage
from crankshaft_core.journal.found import runs_directory
from crankshaft_core.task import Verdict

__all__ = ["main"]


def main(invocation: Invocation) -> int:
    """Ask for the tasks to be ended, wait until it is confirmed, and note it; NOT_OK if one is not confirmed."""
    options = invocation.options
    config = Config.load(options.config)
    tasks = _wanted(_known(options, config), options.ids, options.run, everything=options.all)
    if not tasks:
        say("nothing is running or waiting")
        return exit_codes.OK
    ended = asyncio.run(_end(config, tasks))
    left = [task for task in tasks if task.entry.attempt not in ended]
    if options.json:
        for task in tasks:
            sys.stdout.write(json.dumps(_facts(task, ended=task.entry.attempt in ended)) + "\n")
    if ended:
        say(f"cancelled {len(ended)} of {len(tasks)} tasks: {', '.join(sorted(ended))}")
    if left:
        say(f"not confirmed to have ended: {', '.join(task.entry.attempt for task in left)}")
    return exit_codes.NOT_OK if left else exit_codes.OK


def _known(options: argparse.Namespace, config: Config) -> list[Noted]:
    """The tasks of journals; with `--backend` those of one backend, and by ID or run also what no journal tells of."""
    known = noted(options)
    if options.backend is None:
        return known
    here = [task for task in known if task.entry.backend == config.choose(options.backend).name]
    if options.all:  # what somebody's workflow in another directory has under way is not swept up
        return here
    attempts = {task.entry.attempt for task in known}
    shown = asyncio.run(shown_by(config, options.backend))
    return [*here, *(stray(item, options.backend) for item in shown if item.job.attempt not in attempts)]


def _facts(task: Noted, *, ended: bool) -> Mapping[str, object]:
    entry = task.entry
    return {"id": entry.attempt, "name": entry.name, "backend": entry.backend, "job": entry.job, "ended": ended}


def _wanted(tasks: Sequence[Noted], ids: Sequence[str], run: str | None, *, everything: bool) -> list[Noted]:
    if sum((bool(ids), run is not None, everything)) != 1:
        raise ConfigError("say what to cancel: ID..., or --run RUN, or --all")
    open_tasks = [task for task in tasks if not task.done]
    if ids:
        done = [task for task in chosen(tasks, ids) if task.done]
        if done:
            raise ConfigError(f"done already: {', '.join(task.entry.attempt for task in done)}")
        return chosen(tasks, ids)
    if run is not None and run not in {task.run for task in tasks}:
        raise ConfigError(f"no run {run!r} in any journal here; `crankshaft jobs --all` lists what there is")
    return [task for task in open_tasks if run in (None, task.run)]


async def _end(config: Config, tasks: Sequence[Noted]) -> set[str]:
    """The attempts that have ended, each noted in its journal unless a living client does that itself."""

    async def end_here(backend: Backend, here: Sequence[Noted]) -> set[str]:
        gone = await _confirmed(backend, [task.job for task in here])
        orphans = [task for task in here if task.entry.attempt in gone and task.owner is None]  # of no journal as well
        await _note(orphans)
        if orphans:
            await backend.release({task.job: Verdict.CANCELLED for task in orphans})
        return gone

    return {attempt for ended in await each_place(config, tasks, end_here) for attempt in ended}


async def _confirmed(backend: Backend, jobs: Sequence[Job]) -> set[str]:
    """Ask, poll, ask with force, and poll on until nothing is left or the backend's patience is over."""
    cadence = backend.cadence
    left = {job.attempt: job for job in jobs}
    begun = time.monotonic()
    await backend.cancel(jobs, force=False)
    forced = False
    while left and time.monotonic() - begun < cadence.cancel_timeout:
        for attempt in await _over(backend, list(left.values())):
            left.pop(attempt, None)
        if left and not forced and time.monotonic() - begun >= cadence.kill_after:
            forced = True
            await backend.cancel(list(left.values()), force=True)
        if left:
            await asyncio.sleep(min(cadence.poll, cadence.kill_after))
    return {job.attempt for job in jobs} - set(left)


async def _over(backend: Backend, jobs: Sequence[Job]) -> list[str]:
    """The attempts that the system calls ended, or lists no more."""
    try:
        states = await backend.poll(jobs, sweep=True)
    except BackendError as error:
        say(str(error))
        return []
    return [attempt for attempt, state in states.items() if state.phase in (Phase.ENDED, Phase.MISSING)]


async def _note(tasks: Sequence[Noted]) -> None:
    """So that the next client of the journal does not look for them."""
    outcome = to_journal(Outcome(Verdict.CANCELLED, detail="by crankshaft cancel"), {})
    for path in dict.fromkeys(task.journal for task in tasks if task.journal is not None):
        try:
            journal = Journal.open(path, temporary=path.parent == runs_directory())
        except JournalInUseError:  # a client has come meanwhile, and finds out by itself
            continue
        for task in tasks:
            if task.journal == path:
                journal.put(task.entry._replace(stage=Stage.FINISHED, outcome=outcome))
        await journal.aclose()
