"""Tells the engine's poller at once when a container of the run ends: one connection, one thread, for all of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable

from crankshaft_core.backends.docker.client import DockerClient, EventStream
from crankshaft_core.backends.docker.labels import RUN
from crankshaft_core.errors import BackendError, TransportError

__all__ = ["Waker"]

_log = logging.getLogger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0


class Waker:
    """Only quickens what polling finds out anyway: it may miss events, and never decides anything."""

    def __init__(self, client: DockerClient, run: str, wake: Callable[[], None]) -> None:
        self._client = client
        self._filters = {"type": ["container"], "event": ["die", "died"], "label": [f"{RUN}={run}"]}
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._stream: EventStream | None = None
        self._thread = threading.Thread(target=self._follow, name="crankshaft-docker-events", daemon=True)
        self._thread.start()

    async def aclose(self) -> None:
        """End the thread."""
        with self._lock:
            self._stopped.set()
            if self._stream is not None:
                self._stream.close()
        await self._client.work(self._thread.join)

    def _follow(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopped.is_set():
            try:
                if self._open():
                    pause = _FIRST_PAUSE
                    self._listen()
            except BackendError as error:
                _log.debug("no events for now: %s", error)
            self._stopped.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _open(self) -> bool:
        stream = self._client.follow_events(self._filters)
        with self._lock:
            if self._stopped.is_set():
                stream.close()
                return False
            self._stream = stream
        return True

    def _listen(self) -> None:
        """Until the engine or `aclose` ends the stream."""
        self._tell()  # something may have ended while nobody listened
        for event in self._stream or ():
            # the engine says "die" some 70 ms before it lists the container as ended
            with contextlib.suppress(TransportError):  # then a later poll finds out
                self._client.wait(str(event["Actor"]["ID"]))
            self._tell()
        with self._lock:
            self._stream = None

    def _tell(self) -> None:
        if self._loop.is_closed():  # nobody polls any more, and nobody said good-bye
            self._stopped.set()
        else:
            self._loop.call_soon_threadsafe(self._wake)
