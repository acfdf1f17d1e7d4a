"""`crankshaft logs`: what a task has written, also when another client submitted it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from crankshaft_core.backends.base import Backend, Phase
from crankshaft_core.cli import exit_codes
from crankshaft_core.cli.arguments import Invocation
from crankshaft_core.cli.asking import opened
from crankshaft_core.cli.streaming import STREAMS, Relay, Stream, Writer, json_writers, writer
from crankshaft_core.cli.tasks_noted import Noted, chosen, noted
from crankshaft_core.cli.terminal import say
from crankshaft_core.config import Config
from crankshaft_core.errors import TransportError

__all__ = ["main"]


def main(invocation: Invocation) -> int:
    """Copy the task's standard output and error to ours; with `--follow` until it has ended."""
    options = invocation.options
    config = Config.load(options.config)
    (task,) = chosen(noted(options), [options.id])
    return asyncio.run(_show(config, task, json_writers() if options.json else writer, follow=options.follow))


async def _show(config: Config, task: Noted, write_to: Callable[[Stream], Writer], *, follow: bool) -> int:
    if await _show_files(task, write_to):
        return exit_codes.OK
    async with opened(config, task.entry.backend, task.run) as backend:
        ended = asyncio.Event()
        if not follow:
            ended.set()
        source = _Written(backend, task)
        relays = [Relay(source, stream, write=write_to(stream)) for stream in STREAMS]
        async with asyncio.TaskGroup() as group:
            shown = [group.create_task(relay.run(ended)) for relay in relays]
            watching = group.create_task(_until_ended(backend, task, ended))
            await asyncio.wait(shown)
            watching.cancel()
    if not any(relay.shown for relay in relays):
        say(f"{task.entry.attempt}: nothing was written so far, or it is no longer kept")
    return exit_codes.OK


async def _show_files(task: Noted, write_to: Callable[[Stream], Writer]) -> bool:
    """The streams of a task that is done, where their files are on this machine."""
    outcome: Mapping[str, str] = json.loads(task.entry.outcome or "{}")
    files: dict[Stream, Path] = {stream: Path(outcome[stream]) for stream in STREAMS if stream in outcome}
    if not task.done or not any(file.is_file() for file in files.values()):
        return False
    for stream, file in files.items():
        if file.is_file():
            await write_to(stream)(file.read_bytes())
    return True


@dataclass(frozen=True)
class _Written:
    """What the backend has of a task, as a TaskHandle reads it."""

    backend: Backend
    task: Noted

    async def read(self, stream: Stream, offset: int) -> bytes:
        """See `Backend.read`."""
        return await self.backend.read(self.task.job, stream, offset)


async def _until_ended(backend: Backend, task: Noted, ended: asyncio.Event) -> None:
    """Set `ended` when the system says so; it is asked at the backend's own cadence."""
    cadence = backend.cadence
    pause = cadence.poll
    while not ended.is_set():
        try:
            state = (await backend.poll([task.job], sweep=True)).get(task.entry.attempt)
        except TransportError as error:
            say(f"{task.entry.backend}: {error}")
        else:
            if state is not None and state.phase in (Phase.ENDED, Phase.MISSING):
                ended.set()
                return
        await asyncio.sleep(pause)
        pause = min(pause * 1.25, cadence.slowest_poll)
