"""What goes wrong on purpose. Every field may be changed while the server runs."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field

from tests.services.tes_server.wire import Drop, Request, Response

__all__ = ["Faults"]


@dataclass
class Faults:
    """Rates are probabilities for each request; the counts are of requests to come."""

    seed: int = 7
    error_rate: float = 0.0
    """503 before anything is done."""
    drop_rate: float = 0.0
    """The connection is closed after everything was done."""
    storm_until: float = 0.0
    """503 for everything until then (`time.monotonic`)."""
    busy: int = 0
    """So many requests get 429."""
    retry_after: str | None = None
    """Sent with 429 and 503."""
    dropped_creates: int = 0
    """So many creates are done, and get no answer."""
    failed_creates: int = 0
    """So many creates are not done, and get 500."""
    stalled_creates: int = 0
    """So many creates are done, and answered after `stall`."""
    late_creates: int = 0
    """So many creates are answered with 504, and done after `stall`."""
    stall: float = 30.0
    """Seconds."""
    repeat_token: bool = False
    """Every page ends with the same token."""
    largest_page: int | None = None
    """500 for a larger one."""
    ignore_filters: bool = False
    logins: frozenset[str] | None = None
    """Authorization headers that are let in; None: everybody."""
    endings: list[str] = field(default_factory=list)
    """States in which the next tasks end without having run: PREEMPTED, SYSTEM_ERROR, or a made-up one."""
    server_retries: int = 0
    """So many tasks fail first for the server's own reasons, which it repeats: their logs have two entries."""
    hidden: set[str] = field(default_factory=set)
    """Ids that no listing shows."""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def storm(self, seconds: float) -> None:
        """503 for everything, from now on."""
        self.storm_until = time.monotonic() + seconds

    def before(self, request: Request) -> Response | None:
        """An answer instead of doing anything."""
        headers = {} if self.retry_after is None else {"Retry-After": self.retry_after}
        if self.logins is not None and request.headers.get("authorization", "") not in self.logins:
            return Response(401, {"message": "token expired"})
        if self.busy > 0:
            self.busy -= 1
            return Response(429, {"message": "slow down"}, headers)
        if time.monotonic() < self.storm_until or self._random.random() < self.error_rate:
            return Response(503, b"<html><h1>503 Service Unavailable</h1></html>", headers)
        if self._is_create(request) and self.failed_creates > 0:
            self.failed_creates -= 1
            return Response(500, {"message": "database is away"})
        return None

    def is_late(self, request: Request) -> bool:
        """This create is to be done only after its answer."""
        if not self._is_create(request) or self.late_creates <= 0:
            return False
        self.late_creates -= 1
        return True

    async def after(self, request: Request) -> None:
        """Keep back the answer of what was done."""
        if self._is_create(request) and self.dropped_creates > 0:
            self.dropped_creates -= 1
            raise Drop
        if self._is_create(request) and self.stalled_creates > 0:
            self.stalled_creates -= 1
            await asyncio.sleep(self.stall)
        if self._random.random() < self.drop_rate:
            raise Drop

    def _is_create(self, request: Request) -> bool:
        return request.method == "POST" and request.path.endswith("/tasks")
