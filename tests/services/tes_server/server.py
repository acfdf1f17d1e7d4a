"""A TES server on loopback, to be started and stopped by tests."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import tempfile
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.services.tes_server.api import Api
from tests.services.tes_server.contract import Contract
from tests.services.tes_server.faults import Faults
from tests.services.tes_server.profiles import PLAIN_1_1, Profile
from tests.services.tes_server.runner import Runner
from tests.services.tes_server.store import Store, Task
from tests.services.tes_server.wire import Listener, Request, Response

__all__ = ["TesServer"]


class TesServer:
    """`async with TesServer(profile) as server:` listens at `server.url`.

    `violations` collects what the OpenAPI document has against any request or answer; leaving the context raises
    AssertionError if there is one. `requests` counts them by operation.
    """

    def __init__(
        self,
        profile: Profile = PLAIN_1_1,
        *,
        faults: Faults | None = None,
        state: Path | None = None,
        port: int = 0,
        workers: int = 8,
        pretend: float | None = None,
        validate: bool = True,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.profile = profile
        self.faults = faults or Faults()
        self.requests: Counter[str] = Counter()
        self.violations: list[str] = []
        self._port = port
        self._workers = workers
        self._pretend = pretend
        self._validate = validate
        self._tls = tls
        self._contract = Contract(profile.version)
        self._directory = tempfile.TemporaryDirectory(prefix="tes-server-")
        self._store = Store(state, ids=profile.ids)
        self._listener = Listener(self._answer)
        self._late: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Without the base path: the client has to find that."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    @property
    def tasks(self) -> dict[str, Task]:
        """All tasks it knows, by id."""
        return self._store.tasks

    @property
    def most_connections(self) -> int:
        """The largest number there was at once."""
        return self._listener.most

    @property
    def runs(self) -> dict[str, int]:
        """How often the commands of each task name were started."""
        return self._runner.runs

    def hold(self) -> None:
        """Let no pretended task end."""
        self._runner.let_go.clear()

    def let_go(self) -> None:
        """Let those that were held end, one after the other."""
        self._runner.let_go.set()

    async def start(self) -> None:
        """Listen."""
        self._runner = Runner(
            self._store,
            Path(self._directory.name),
            self.profile,
            self.faults,
            workers=self._workers,
            pretend=self._pretend,
        )
        self._api = Api(self._store, self._runner, self.profile, self.faults, self._contract)
        for task in list(self._store.tasks.values()):
            if task["state"] in ("QUEUED", "INITIALIZING"):
                self._runner.start(task)
        await self.listen()

    async def listen(self) -> None:
        """Take connections, at the same port as before."""
        self._port = await self._listener.listen("127.0.0.1", self._port, tls=self._tls)

    async def hang_up(self) -> None:
        """Take no connections and drop those there are; tasks go on."""
        await self._listener.hang_up()

    async def aclose(self) -> None:
        """Stop."""
        await self.hang_up()
        for task in list(self._late):
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)
        await self._runner.aclose()
        self._store.close()
        self._directory.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
        if error is None and self.violations:
            raise AssertionError("\n".join(self.violations))

    async def _answer(self, request: Request) -> Response:
        path = self._below_base(request.path)
        self.requests[_operation(request.method, path)] += 1
        refused = self.faults.before(request)
        if refused is not None:
            return refused
        if path is None:
            return Response(404, b"<html>no such page</html>", {"Content-Type": "text/html"})
        if self._validate:
            self._judge(request, path, self._contract.request_problems(request, path))
        if self.faults.is_late(request):
            late = asyncio.ensure_future(self._do_late(request, path))
            self._late.add(late)
            late.add_done_callback(self._late.discard)
            return Response(504, b"gateway timeout")
        response = self._api.answer(request, path)
        if self._validate and self.profile.conforms:
            self._judge(request, path, self._contract.answer_problems(request, path, response))
        await self.faults.after(request)
        return response

    async def _do_late(self, request: Request, path: str) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(self.faults.stall)
            self._api.answer(request, path)

    def _below_base(self, path: str) -> str | None:
        for base in self.profile.bases:
            below = path.removeprefix(base)
            if path.startswith(base) and below.startswith(("/tasks", "/service-info")):
                return below
        return None

    def _judge(self, request: Request, path: str, problems: list[str]) -> None:
        self.violations += [f"{request.method} {path}: {problem}" for problem in problems]


def _operation(method: str, path: str | None) -> str:
    if path is None:
        return "elsewhere"
    if path in ("/service-info", "/tasks"):
        return "create" if method == "POST" else {"/service-info": "info", "/tasks": "list"}[path]
    return "cancel" if path.endswith(":cancel") else "get"
