"""What one run keeps of one server: where it is, how it lists, which jobs are known, which are in doubt."""

from __future__ import annotations

import asyncio
import logging
import time

from crankshaft_core.backends.tes.answer import Answer
from crankshaft_core.backends.tes.client import Client
from crankshaft_core.backends.tes.discovery import Service, discover
from crankshaft_core.backends.tes.document import RUN_TAG, Document
from crankshaft_core.backends.tes.doubt import Doubts
from crankshaft_core.backends.tes.http import Request
from crankshaft_core.backends.tes.sweep import Sweep
from crankshaft_core.backends.tes.watcher import Watcher
from crankshaft_core.config.tes import TESConfig
from crankshaft_core.errors import SubmitError, TransportError

__all__ = ["Connection", "Server"]

_log = logging.getLogger(__name__)
_PARTING = 10.0
"""Seconds for a last look at what a closing client may leave behind."""


class Server:
    """A server that was found, and the parts that know it."""

    def __init__(self, client: Client, service: Service, run: str, *, in_doubt: float) -> None:
        self.client = client
        self.service = service
        self.sweep = Sweep(client, service, run)
        self.doubts = Doubts(client, self.sweep)
        self.watcher = Watcher(self.sweep, self.doubts, in_doubt=in_doubt)

    async def create(self, document: Document) -> Answer:
        """CreateTask, once."""
        return await self.client.once(Request("POST", f"{self.service.base}/tasks", body=document))

    async def part(self) -> None:
        """One last look for tasks that lost answers may have left, and their end."""
        if self.doubts.watchful:
            began = time.monotonic()
            listing = await self.sweep.listing(None)
            await self.doubts.settle(listing, began=began)


class Connection:
    """Finds the server when it is first needed, and again if that failed."""

    def __init__(self, config: TESConfig, run: str, *, in_doubt: float) -> None:
        self.client = Client(config.http, config.url, backend=config.name)
        self._url = config.url
        self._run = run
        self._in_doubt = in_doubt
        self._server: Server | None = None
        self._finding = asyncio.Lock()

    @property
    def service(self) -> Service | None:
        """What is known of the server; None before it was found."""
        return None if self._server is None else self._server.service

    async def server(self) -> Server:
        """The server. Raises SubmitError if something else is at that address, TransportError if nothing answers."""
        async with self._finding:
            if self._server is None:
                service = await discover(self.client, self._url)
                self._server = Server(self.client, service, self._run, in_doubt=self._in_doubt)
                _log.info("found %s", service)
            return self._server

    async def server_to_ask(self) -> Server:
        """The same for questions, where nothing is refused: raises only TransportError."""
        try:
            return await self.server()
        except SubmitError as error:
            raise TransportError(str(error)) from error

    async def aclose(self) -> None:
        """Let go, after a last look at what may be left behind."""
        if self._server is not None:
            try:
                async with asyncio.timeout(_PARTING):
                    await self._server.part()
            except (TimeoutError, TransportError) as error:
                _log.warning(
                    "%s: lost answers may have left tasks that nobody waits for; look for tag %s=%s. %s",
                    self._server.service.name,
                    RUN_TAG,
                    self._run,
                    error,
                )
        await self.client.aclose()
