"""`crankshaft run`: one command, shown while it runs; or, by `--file`, many tasks."""

from __future__ import annotations

import asyncio
import sys
from argparse import Namespace

from crankshaft_core.cli import exit_codes
from crankshaft_core.cli.arguments import Invocation
from crankshaft_core.cli.follow import Follower
from crankshaft_core.cli.placing import placed
from crankshaft_core.cli.signals import Interrupts
from crankshaft_core.cli.success import is_on_record
from crankshaft_core.cli.task_options import task_of
from crankshaft_core.cli.terminal import say
from crankshaft_core.cli.waiting import Patience
from crankshaft_core.config import Config
from crankshaft_core.engine import Engine
from crankshaft_core.errors import ConfigError
from crankshaft_core.notices import Notices
from crankshaft_core.task import Task

__all__ = ["main"]


def main(invocation: Invocation) -> int:
    """Run it and return its exit code, or one of `exit_codes`."""
    options = invocation.options
    if options.file is not None:
        _refuse_what_lines_say(invocation)
        from crankshaft_core.cli.run_file import run_file

        return run_file(_load(options), options)
    task = task_of(invocation)
    return asyncio.run(_run(_load(options), task, options))


async def _run(config: Config, task: Task, options: Namespace) -> int:
    chosen = config.choose(options.backend)
    backend = chosen.name
    with Interrupts() as interrupts:
        async with Engine(config) as engine:
            task = placed(task, engine.reach(backend))
            if options.dry_run:
                sys.stdout.write(engine.script(backend, task).rstrip("\n") + "\n")
                return exit_codes.OK
            handle = engine.spawn(backend, task)
            with handle.kept():
                follower = Follower(handle, task, quiet=options.quiet, on_record=is_on_record(chosen))
                for subscriber in (follower, *(() if options.quiet else (Notices(say), Patience(handle)))):
                    engine.subscribe(subscriber)
                return await interrupts.guard(follower.follow(), engine, tasks=lambda: [handle])


def _load(options: Namespace) -> Config:
    config = Config.load(options.config)
    for warning in config.warnings:
        say(warning)
    return config


def _refuse_what_lines_say(invocation: Invocation) -> None:
    options = invocation.options
    given = {
        "COMMAND": invocation.command,
        "-c": options.shell,
        "--image": options.image,
        "--env": options.env,
        "--cwd": options.cwd,
        "--attribute": options.attribute,
        "--input": options.input,
        "--output": options.output,
        "--name": options.name,
    }
    wrong = [name for name, value in given.items() if value]
    if wrong:
        raise ConfigError(f"with --file each line says this itself: {', '.join(wrong)}")
