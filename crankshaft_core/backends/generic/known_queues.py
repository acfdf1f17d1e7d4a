"""The queues a system knows, for whoever has asked for another."""

from __future__ import annotations

import asyncio
import logging
import re

from crankshaft_core.backends.generic.frames import Script
from crankshaft_core.backends.generic.site import Site
from crankshaft_core.config import GenericConfig
from crankshaft_core.errors import BackendError, SubmitError

__all__ = ["KnownQueues"]

_log = logging.getLogger(__name__)
_NAMED = 20
"""So many names help; a site with more lists them by itself."""


class KnownQueues:
    """Asked of the system once, when it first refuses a queue."""

    def __init__(self, config: GenericConfig, site: Site) -> None:
        self._command = config.list_queues
        self._about_queues = config.submit_errors.queue
        self._site = site
        self._asking = asyncio.Lock()
        self._names: tuple[str, ...] | None = None

    async def named(self, refusal: SubmitError) -> SubmitError:
        """The refusal; with the names there are, if it is about a queue and the system tells them."""
        if self._command is None or self._about_queues is None or not re.search(self._about_queues, str(refusal)):
            return refusal
        async with self._asking:
            if self._names is None:
                self._names = await self._ask(self._command)
        if not self._names:
            return refusal
        more = f", … ({len(self._names)} in all)" if len(self._names) > _NAMED else ""
        return SubmitError(f"{str(refusal).rstrip('.')}. Known: {', '.join(self._names[:_NAMED])}{more}")

    async def _ask(self, command: str) -> tuple[str, ...]:
        script = Script()
        script.call("queues", command)
        try:
            answer = Script.answer(await self._site.call(script), "queues")
        except BackendError as error:
            _log.info("%s: cannot ask for the queues: %s", self._site.name, error)
            return ()
        if answer is None or answer.status != 0:
            return ()
        return tuple(dict.fromkeys(line.strip() for line in answer.stdout.splitlines() if line.strip()))
