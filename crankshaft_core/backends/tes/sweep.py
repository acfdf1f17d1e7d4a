"""The states of a run's tasks: by ListTasks where the server can filter, else task by task."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import quote

from crankshaft_core.backends.tes.answer import Answer, as_list, as_table, as_text, refusal
from crankshaft_core.backends.tes.client import BusyError, Client
from crankshaft_core.backends.tes.discovery import Service
from crankshaft_core.backends.tes.document import ATTEMPT_TAG, RUN_TAG, name_prefix
from crankshaft_core.backends.tes.http import Params, Request
from crankshaft_core.errors import AuthenticationError, TransportError

__all__ = ["LARGEST_PAGE", "Filter", "Listing", "Sweep", "Task", "attempt_of"]

_log = logging.getLogger(__name__)

Task = Mapping[str, object]
"""A TES task as the server tells it."""

LARGEST_PAGE = 2047  # "must be less than 2048", both documents
_DEFAULT_PAGE = 256
_SMALLEST_PAGE = 32
_TOO_LARGE = (400, 413, 422, 500, 504, 507)
_PAGE_RETRIES = 2
_BAD_HOUR = 600.0
"""Seconds after which a larger page is tried again."""
_MOST_PAGES = 200
"""Pages read when all runs are asked for, on a server that filters nothing."""
_NO_TOKEN = ("", "None", "null")
"""What servers say for "no more": tesp-api really says "None"."""


class Filter(Enum):
    """How the server can be asked for the tasks of one run."""

    TAG = "tag"
    NAME = "name"
    NONE = "none"


@dataclass(slots=True)
class Listing:
    """States by task id. `complete`: the server said there are no more, so whoever is not in it was not listed."""

    states: dict[str, str] = field(default_factory=dict[str, str])
    complete: bool = False


class Sweep:
    """Asks one server about one run. What the server turns out to be able to do is remembered."""

    def __init__(self, client: Client, service: Service, run: str) -> None:
        self._client = client
        self._service = service
        self._run = run
        self._tasks = f"{service.base}/tasks"
        self._page_size = LARGEST_PAGE
        self._halved = 0.0
        self.pages = 1
        """Requests that a listing of the run takes, by the last complete one."""
        self.filter: Filter | None = None
        """None until it was found out."""

    def task_url(self, task_id: str) -> str:
        """Where one task is."""
        return f"{self._tasks}/{quote(task_id, safe='')}"

    def is_listing_cheaper(self, count: int) -> bool:
        """Asking for the whole list costs fewer requests than asking for `count` tasks one by one."""
        return self.filter is not Filter.NONE and self.pages <= count

    async def find_filter(self) -> Filter:
        """Find out what the server filters by, with values that no task can match.

        Only to be asked while the server has a task of ours: else an answer without tasks tells nothing.
        """
        if self.filter is None:
            self.filter = await self.probe()
            _log.info("%s: tasks are listed by %s", self._service.name, self.filter.value)
        return self.filter

    async def probe(self) -> Filter:
        """Find out anew what the server filters by. Raises TransportError."""
        wide: Filter | None = None
        for kind in (Filter.NAME,) if self._service.is_1_0 else (Filter.TAG, Filter.NAME):
            if not await self._is_honoured(kind):
                continue
            if await self._is_narrow(kind):
                return kind
            wide = wide or kind
        return wide or Filter.NONE

    def distrust(self) -> None:
        """The filter hid tasks that are there. Use the next best."""
        self.filter = Filter.NAME if self.filter is Filter.TAG else Filter.NONE
        _log.info("%s: filter hides tasks; from now on they are listed by %s", self._service.name, self.filter.value)

    async def listing(self, wanted: Collection[str] | None) -> Listing:
        """The run's tasks; with `wanted`, only until all of these were seen."""
        missing = None if wanted is None else set(wanted)
        listing = Listing()
        pages = 0

        def take(page: list[Task]) -> bool:
            nonlocal pages
            pages += 1
            known = {as_text(task.get("id")): sys.intern(as_text(task.get("state"))) for task in page}
            known.pop("", None)
            listing.states.update(known)
            if missing is not None:
                missing.difference_update(listing.states)
            return missing is None or bool(missing)

        params = _filter_params(self.filter or (Filter.NAME if self._service.is_1_0 else Filter.TAG), self._run)
        listing.complete = await self._walk([*params, ("view", "MINIMAL")], take)
        if listing.complete:
            self.pages = pages
        return listing

    async def find(self, attempt: str) -> list[Task]:
        """The tasks of one attempt, in their BASIC view. Without filters this reads the list until one is found."""
        found: list[Task] = []

        def take(page: list[Task]) -> bool:
            found.extend(task for task in page if attempt_of(task) == attempt)
            return not found

        await self._walk([*self._attempt_params(attempt), ("view", "BASIC")], take)
        return found

    async def of_every_run(self) -> list[Task]:
        """The tasks of every run of Crankshaft's, in their BASIC view. Raises TransportError."""
        found: list[Task] = []
        pages = 0

        def take(page: list[Task]) -> bool:
            nonlocal pages
            pages += 1
            found.extend(task for task in page if attempt_of(task) is not None)
            return pages < _MOST_PAGES

        tagged = [] if self._service.is_1_0 else [("tag_key", RUN_TAG), ("tag_value", "")]
        if not await self._walk([*tagged, ("view", "BASIC")], take):
            _log.warning("%s: not all of its tasks were looked at", self._service.name)
        return found

    async def states(self, ids: Collection[str]) -> dict[str, str | None]:
        """Each task's state, one request each; None for one the server does not know. Those not to be had are left out.

        Raises TransportError when nothing at all was to be had.
        """
        tasks = await self.tasks(ids, view="MINIMAL")
        return {task_id: None if task is None else as_text(task.get("state")) for task_id, task in tasks.items()}

    async def tasks(self, ids: Collection[str], *, view: str) -> dict[str, Task | None]:
        """Each task, one request each; None for one the server does not know. Those not to be had are left out.

        Raises TransportError when nothing at all was to be had.
        """
        answers = await asyncio.gather(*(self.task(task_id, view=view) for task_id in ids), return_exceptions=True)
        known: dict[str, Task | None] = {}
        trouble: TransportError | None = None
        for task_id, answer in zip(ids, answers, strict=True):
            if isinstance(answer, TransportError):
                trouble = answer
            elif isinstance(answer, BaseException):
                raise answer
            else:
                known[task_id] = answer
        if trouble is not None and not known:
            raise trouble
        return known

    async def task(self, task_id: str, *, view: str) -> Task | None:
        """One task; None if the server does not know it. Raises TransportError."""
        answer = await self._client.repeat(Request("GET", self.task_url(task_id), [("view", view)]))
        if answer.status == 404:
            return None
        if not answer.ok or not as_table(answer.body):
            raise TransportError(refusal(answer))
        return as_table(answer.body)

    async def _is_honoured(self, kind: Filter) -> bool:
        nobody = f"nobody-{secrets.token_hex(8)}"
        answer = await self._page([*_filter_params(kind, nobody), ("page_size", "1"), ("view", "MINIMAL")])
        return answer.ok and not as_list(as_table(answer.body).get("tasks"))

    async def _is_narrow(self, kind: Filter) -> bool:
        """MINIMAL really is id and state: Funnel answers a MINIMAL listing by tag with everything."""
        answer = await self._page([*_filter_params(kind, self._run), ("page_size", "1"), ("view", "MINIMAL")])
        tasks = as_list(as_table(answer.body).get("tasks"))
        return answer.ok and not any(_is_wide(as_table(task)) for task in tasks)

    def _attempt_params(self, attempt: str) -> list[tuple[str, str]]:
        """By everything the server might honour: what it returns is checked anyway."""
        if self.filter is Filter.NONE:
            return []
        name = [("name_prefix", name_prefix(self._run, attempt))]
        return name if self._service.is_1_0 else [("tag_key", ATTEMPT_TAG), ("tag_value", attempt), *name]

    async def _walk(self, params: Params, take: Callable[[list[Task]], bool]) -> bool:
        """Give `take` page after page, until it wants no more. True if the list came to an end of its own."""
        token = ""
        seen: set[str] = set()
        while True:
            answer = await self._sized_page([*params, *([("page_token", token)] if token else [])])
            body = as_table(answer.body)
            page = [as_table(item) for item in as_list(body.get("tasks"))]
            wants_more = take(page)
            token = as_text(body.get("next_page_token"))
            if token in _NO_TOKEN or not page:
                return True
            if not wants_more or token in seen:  # a token that comes again would go on for ever
                return False
            seen.add(token)

    async def _sized_page(self, params: Params) -> Answer:
        """One page, as large as the server can bear."""
        self._grow()
        while True:
            try:
                answer = await self._page([*params, ("page_size", str(self._page_size))])
            except (AuthenticationError, BusyError):
                raise
            except TransportError:
                if self._page_size <= _SMALLEST_PAGE:
                    raise
            else:
                if answer.ok:
                    return answer
                smallest = _SMALLEST_PAGE if answer.status >= 500 else _DEFAULT_PAGE
                if answer.status not in _TOO_LARGE or self._page_size <= smallest:
                    raise TransportError(refusal(answer))
            self._page_size = max(_SMALLEST_PAGE, self._page_size // 2)
            self._halved = time.monotonic()

    def _grow(self) -> None:
        """What was too much may have been the server's bad hour."""
        if self._page_size < LARGEST_PAGE and time.monotonic() - self._halved > _BAD_HOUR:
            self._page_size = min(LARGEST_PAGE, self._page_size * 2)
            self._halved = time.monotonic()

    async def _page(self, params: Params) -> Answer:
        return await self._client.repeat(Request("GET", self._tasks, params), retries=_PAGE_RETRIES, heard=_TOO_LARGE)


def attempt_of(task: Task) -> str | None:
    """The attempt that a task of ours (BASIC or FULL) belongs to; None for somebody else's."""
    tag = as_text(as_table(task.get("tags")).get(ATTEMPT_TAG))
    parts = as_text(task.get("name")).split("_", 2)
    return tag or (parts[1] if len(parts) == 3 else None)


def _filter_params(kind: Filter, run: str) -> list[tuple[str, str]]:
    if kind is Filter.TAG:
        return [("tag_key", RUN_TAG), ("tag_value", run)]
    return [("name_prefix", name_prefix(run))] if kind is Filter.NAME else []


def _is_wide(task: Task) -> bool:
    return any(value for key, value in task.items() if key not in ("id", "state"))
