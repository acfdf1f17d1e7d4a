"""`crankshaft check`: is each backend reachable and usable?"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
import time
from collections.abc import Callable

from crankshaft_core.backends.base import Health
from crankshaft_core.cli import exit_codes
from crankshaft_core.cli.arguments import Invocation
from crankshaft_core.cli.probe import probe
from crankshaft_core.config import Config
from crankshaft_core.engine import Engine
from crankshaft_core.errors import CrankshaftError

__all__ = ["main"]

Teller = Callable[[str, Health, float], None]
"""Tells of a backend's health, which took so many seconds to find out."""


def main(invocation: Invocation) -> int:
    """Print a line for each backend, as its answer comes; NOT_OK if one is not usable."""
    options = invocation.options
    config = Config.load(options.config)
    names = options.names or sorted(config.backends)
    chosen = [config.choose(name).name for name in dict.fromkeys(names)]
    tell = _tell_json if options.json else _teller(max(map(len, chosen)))
    healthy = asyncio.run(_check(config, chosen, tell, with_probe=options.probe))
    for warning in config.warnings:
        sys.stdout.write(json.dumps({"warning": warning}) + "\n" if options.json else f"warning: {warning}\n")
    return exit_codes.OK if healthy else exit_codes.NOT_OK


async def _check(config: Config, names: list[str], tell: Teller, *, with_probe: bool) -> bool:
    async with Engine(config) as engine, asyncio.TaskGroup() as group:

        async def answer(name: str) -> bool:
            start = time.monotonic()
            health = await _health(engine, name)
            if with_probe and health.ok:
                health = _with_probe(health, *await probe(engine, config, name))
            tell(name, health, time.monotonic() - start)
            return health.ok

        answers = [group.create_task(answer(name)) for name in names]
    return all(answer.result() for answer in answers)


async def _health(engine: Engine, name: str) -> Health:
    try:
        return await engine.check(name)
    except CrankshaftError as error:
        return Health(ok=False, summary=str(error))


def _with_probe(health: Health, notes: list[str], problems: list[str]) -> Health:
    """A probe that tells of wrong clocks has come back all the same."""
    return dataclasses.replace(
        health,
        ok=health.ok and bool(notes),
        notes=(*notes, *health.notes),
        warnings=(*health.warnings, *problems),
    )


def _teller(width: int) -> Teller:
    def tell(name: str, health: Health, took: float) -> None:
        verdict = "ok" if health.ok else "FAILED"
        said = "; ".join([*health.summary.splitlines(), *health.notes])
        lines = [f"{name:{width}}  {verdict:6}  {took:5.1f} s  {said}".rstrip()]
        lines += [f"warning: {name}: {warning}" for warning in health.warnings]
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()

    return tell


def _tell_json(name: str, health: Health, took: float) -> None:
    facts = {
        "backend": name,
        "ok": health.ok,
        "seconds": round(took, 3),
        "summary": health.summary,
        "notes": health.notes,
        "warnings": health.warnings,
    }
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()
