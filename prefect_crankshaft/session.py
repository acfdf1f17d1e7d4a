"""What an entered runner holds on its loop: the engine, the journal of the flow run, Prefect's client."""

from __future__ import annotations

import asyncio
import contextlib

from prefect.context import AsyncClientContext, FlowRunContext

from crankshaft_core.config import Config
from crankshaft_core.engine import Engine
from prefect_crankshaft.jobs import Jobs
from prefect_crankshaft.keeping import Keeping
from prefect_crankshaft.turns import Turns

__all__ = ["Session"]


class Session:
    """Opened by the first call, in whose context the flow run is known; used on one loop.

    `turns`: for those that begin.
    """

    def __init__(self, config: Config, *, max_tasks: int | None) -> None:
        self.turns = Turns()
        self._config = config
        self._max_tasks = max_tasks
        self._opened: asyncio.Future[tuple[Jobs, AsyncClientContext]] | None = None
        self._owner: asyncio.Task[None] | None = None
        self._leaving = asyncio.Event()

    async def opened(self) -> tuple[Jobs, AsyncClientContext]:
        """The jobs, and one client for all task runs. Raises JournalError if another process owns the flow run."""
        if self._opened is None:
            self._opened = asyncio.get_running_loop().create_future()
            self._owner = asyncio.create_task(self._own(self._opened))
        return await asyncio.shield(self._opened)

    async def aclose(self) -> None:
        """End all jobs, wait for it, let go. Raises CancelUnconfirmed naming jobs that may still run."""
        self._leaving.set()
        if self._owner is not None:
            await self._owner

    async def _own(self, opened: asyncio.Future[tuple[Jobs, AsyncClientContext]]) -> None:
        """Everything is opened and closed by one task: context variables ask for that."""
        async with contextlib.AsyncExitStack() as stack:
            try:
                keeping = stack.enter_context(Keeping(_flow_run()))
                engine = await stack.enter_async_context(Engine(self._config, journal=keeping.journal))
                client = await stack.enter_async_context(AsyncClientContext())
                jobs = Jobs(engine, keeping, max_tasks=self._max_tasks)
                stack.push_async_callback(jobs.aclose)
            except Exception as error:  # noqa: BLE001 - every task run gets it
                opened.set_exception(error)
                opened.exception()  # none may be waiting any more
                return
            opened.set_result((jobs, client))
            await self._leaving.wait()


def _flow_run() -> str | None:
    context = FlowRunContext.get()
    return None if context is None or context.flow_run is None else str(context.flow_run.id)
