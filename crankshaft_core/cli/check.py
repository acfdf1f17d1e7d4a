"""`crankshaft check`: is each backend reachable and usable?"""

from __future__ import annotations

import asyncio
import sys
import time

from crankshaft_core.backends.base import Health
from crankshaft_core.cli import exit_codes
from crankshaft_core.cli.arguments import Invocation
from crankshaft_core.config import Config
from crankshaft_core.engine import Engine
from crankshaft_core.errors import CrankshaftError

__all__ = ["main"]


def main(invocation: Invocation) -> int:
    """Print a line for each backend, as its answer comes; NOT_OK if one is not usable."""
    config = Config.load(invocation.options.config)
    names = invocation.options.names or sorted(config.backends)
    chosen = [config.choose(name).name for name in dict.fromkeys(names)]
    healthy = asyncio.run(_check(config, chosen))
    for warning in config.warnings:
        sys.stdout.write(f"warning: {warning}\n")
    return exit_codes.OK if healthy else exit_codes.NOT_OK


async def _check(config: Config, names: list[str]) -> bool:
    width = max(map(len, names))
    async with Engine(config) as engine, asyncio.TaskGroup() as group:
        answers = [group.create_task(_answer(engine, name, width)) for name in names]
    return all(answer.result() for answer in answers)


async def _answer(engine: Engine, name: str, width: int) -> bool:
    start = time.monotonic()
    try:
        health = await engine.check(name)
    except CrankshaftError as error:
        health = Health(ok=False, summary=str(error))
    took = time.monotonic() - start
    verdict = "ok" if health.ok else "FAILED"
    said = "; ".join([*health.summary.splitlines(), *health.notes])
    sys.stdout.write(f"{name:{width}}  {verdict:6}  {took:5.1f} s  {said}".rstrip() + "\n")
    sys.stdout.flush()
    return health.ok
