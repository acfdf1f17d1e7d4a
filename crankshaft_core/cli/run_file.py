"""`crankshaft run --file`: many tasks, checked before any is submitted, counted while they run."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from argparse import Namespace

from crankshaft_core.cli import exit_codes
from crankshaft_core.cli.placing import placed
from crankshaft_core.cli.signals import Interrupts
from crankshaft_core.cli.tally import Tally
from crankshaft_core.cli.task_options import resources_of
from crankshaft_core.cli.tasks_file import TaskLine, content_of, tasks_in
from crankshaft_core.cli.terminal import say
from crankshaft_core.config import Config
from crankshaft_core.engine import Engine, TaskHandle
from crankshaft_core.notices import Notices

__all__ = ["run_file"]


def run_file(config: Config, options: Namespace) -> int:
    """Run every task of the file and sum up. Raises ConfigError, with nothing submitted, if any line is wrong."""
    content = content_of(options.file)  # before the loop takes Ctrl-C over: standard input may be a person
    return asyncio.run(_run(config, content, options))


async def _run(config: Config, content: bytes, options: Namespace) -> int:
    with Interrupts() as interrupts:
        async with Engine(config) as engine:
            lines = _read(content, config, engine, options)
            if options.dry_run:
                return _print_scripts(engine, lines)
            return await _run_all(engine, lines, interrupts, quiet=options.quiet)


def _read(content: bytes, config: Config, engine: Engine, options: Namespace) -> list[TaskLine]:
    """The file's tasks, completed by the options, each one such that its backend would take it."""
    source = "<stdin>" if options.file == "-" else options.file
    wanted = resources_of(options)

    def complete(line: TaskLine) -> TaskLine:
        backend = config.choose(line.backend or options.backend)
        task = placed(line.task.over(wanted, {}), engine.reach(backend.name))
        done = TaskLine(line.place, task, backend.name)
        engine.script(backend.name, done.task)  # raises as submit would refuse
        return done

    return tasks_in(content, source=source, complete=complete)


def _print_scripts(engine: Engine, lines: list[TaskLine]) -> int:
    for line in lines:
        script = engine.script(line.backend, line.task).rstrip("\n")
        sys.stdout.write(f"# {line.place}: {line.task.name} on {line.backend}\n{script}\n\n")
    return exit_codes.OK


async def _run_all(engine: Engine, lines: list[TaskLine], interrupts: Interrupts, *, quiet: bool) -> int:
    tally, start = Tally(quiet=quiet), time.monotonic()
    for subscriber in (tally, *(() if quiet else (Notices(say),))):
        engine.subscribe(subscriber)
    with contextlib.ExitStack() as screen:
        if sys.stderr.isatty():
            from crankshaft_core.cli.progress import Bar

            engine.subscribe(screen.enter_context(Bar(tally, total=len(lines))))
        handles = [engine.spawn(line.backend, line.task) for line in lines]
        code = await interrupts.guard(_all_done(handles, tally), engine, tasks=lambda: handles, leaving=screen.close)
    sys.stdout.write("\n".join(tally.summary(time.monotonic() - start)) + "\n")
    return code


async def _all_done(handles: list[TaskHandle], tally: Tally) -> int:
    for handle in handles:
        await handle.wait()
    return exit_codes.NOT_OK if tally.failures else exit_codes.OK
