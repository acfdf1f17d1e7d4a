"""Asking for tasks to be ended: all at once, within a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

from crankshaft_core.backends.tes.answer import refusal
from crankshaft_core.backends.tes.client import Client
from crankshaft_core.backends.tes.http import Request
from crankshaft_core.errors import TransportError

__all__ = ["ask_to_cancel", "few"]

_SHOWN = 20

_DEADLINE = 30.0
"""Seconds; what was not asked by then is asked again by the engine."""


async def ask_to_cancel(client: Client, urls: Mapping[str, str], *, deadline: float = _DEADLINE) -> set[str]:
    """Send CancelTask for each id and its URL. Returns the ids for which the server gave any answer.

    A refusal (400, 404, 409) is an answer as well: the task has ended, or is unknown, and its state will tell.
    """
    asking = {asyncio.ensure_future(_ask(client, url)): task_id for task_id, url in urls.items()}
    if not asking:
        return set()
    try:
        done, _ = await asyncio.wait(asking, timeout=deadline)
        return {asking[task] for task in done if task.exception() is None}
    finally:
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)


def few(ids: Collection[str]) -> str:
    """Ids for a person: some of them, if they are many."""
    shown = ", ".join(sorted(ids)[:_SHOWN])
    return shown if len(ids) <= _SHOWN else f"{shown} and {len(ids) - _SHOWN} more"


async def _ask(client: Client, url: str) -> None:
    answer = await client.repeat(Request("POST", f"{url}:cancel"))
    if answer.status == 403:
        raise TransportError(refusal(answer))
