"""What `crankshaft check` says of a TES backend."""

from __future__ import annotations

import logging

from crankshaft_core.backends.base import Health
from crankshaft_core.backends.tes.answer import as_list, as_table, refusal
from crankshaft_core.backends.tes.http import Request
from crankshaft_core.backends.tes.server import Connection, Server
from crankshaft_core.backends.tes.storage import Storage
from crankshaft_core.backends.tes.sweep import Filter
from crankshaft_core.errors import BackendError, StagingError

__all__ = ["check"]

_log = logging.getLogger(__name__)


async def check(connection: Connection, storage: Storage | None) -> Health:
    """Name the server, its version, whether it lets us in, what it ignores, and whether the storage works."""
    login = connection.client.credentials.kind
    try:
        server = await connection.server()
        answer = await connection.client.repeat(Request("GET", f"{server.service.base}/tasks", [("page_size", "1")]))
    except BackendError as error:
        return Health(ok=False, summary=str(error))
    if not answer.ok:
        return Health(ok=False, summary=f"{server.service}: {refusal(answer)}")
    let_in = "no login asked for" if login == "none" else f"logged in ({login})"
    notes = [*await _filters(server, any_task=bool(as_list(as_table(answer.body).get("tasks")))), *_offers(server)]
    ok, about = await _storage(storage)
    return Health(ok=ok, summary=f"{server.service}, {let_in}", notes=(*notes, about))


async def _filters(server: Server, *, any_task: bool) -> list[str]:
    """Whether a filter is ignored shows only on a server that has tasks."""
    if not any_task:
        return ["it has no task, so whether it ignores filters will show later"]
    try:
        found = await server.sweep.probe()
    except BackendError as error:
        return [f"whether it ignores filters could not be found out: {error}"]
    if found is Filter.NONE:
        return ["it ignores filters: states are asked task by task"]
    if found is Filter.NAME and not server.service.is_1_0:
        return ["it ignores filters by tag, or answers them at length: tasks are listed by name"]
    return [f"tasks are listed by {found.value}"]


def _offers(server: Server) -> list[str]:
    service = server.service
    if service.is_1_0:
        return ["TES 1.0: attributes, GPUs and wildcards in outputs cannot be sent"]
    offered = ", ".join(service.parameters) or "none"
    return [f"backend parameters it lists: {offered}"]


async def _storage(storage: Storage | None) -> tuple[bool, str]:
    if storage is None:
        return True, "no storage: only small text goes in, and outputs need URLs that the workers reach"
    try:
        await storage.probe()
    except StagingError as error:
        return False, f"storage: {error}"
    return True, f"storage {storage.url('').rstrip('/')}: written, read and deleted"
