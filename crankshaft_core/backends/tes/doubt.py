"""Creates whose answer was lost. TES has no means to make a create idempotent: so look, and keep one task only."""

from __future__ import annotations

import logging
import time

from crankshaft_core.backends.tes.answer import as_text
from crankshaft_core.backends.tes.cancel import ask_to_cancel, few
from crankshaft_core.backends.tes.client import Client
from crankshaft_core.backends.tes.sweep import Listing, Sweep, attempt_of
from crankshaft_core.errors import TransportError

__all__ = ["Doubts"]

_log = logging.getLogger(__name__)
_MOST_LOOKS = 200
"""Requests that one poll spends on tasks it does not know."""
_FRESH = 20.0
"""Seconds for which a complete listing stands for a look of one's own."""
_LATEST = 600.0
"""Seconds after which a create that was repeated is not expected to have led to a second task any more."""


class Doubts:
    """Knows every task id of this run that was learned, and which attempts may have more tasks than one."""

    def __init__(self, client: Client, sweep: Sweep) -> None:
        self._client = client
        self._sweep = sweep
        self._ids: set[str] = set()
        """Of all tasks that are known, also somebody else's."""
        self._kept: dict[str, str] = {}
        """Attempt to the one task id that counts."""
        self._since: dict[str, float] = {}
        """When each doubt arose that is not settled."""
        self._lost: dict[str, int] = {}
        """How many creates of an attempt got no answer."""
        self._repeated: dict[str, float] = {}
        """Attempts with more creates than one, that may have more tasks than one, and since when."""
        self._unwanted: set[str] = set()
        self._surplus: set[str] = set()
        self._clear_from = float("-inf")

    @property
    def watchful(self) -> bool:
        """There may be tasks on the server that we do not know: only the whole list will tell."""
        return bool(self._since or self._unwanted or self._repeated)

    def known(self, attempt: str) -> str | None:
        """The id of the one task that counts."""
        return self._kept.get(attempt)

    def accepted(self, attempt: str, task_id: str) -> None:
        """The server took the attempt under this id."""
        self._identify(task_id, attempt)
        if attempt in self._lost:
            self._repeated[attempt] = time.monotonic()

    def lost(self, attempt: str) -> None:
        """No telling whether the server has taken it."""
        self._since[attempt] = time.monotonic()
        self._lost[attempt] = self._lost.get(attempt, 0) + 1

    def adopt(self, attempt: str, task_id: str | None) -> None:
        """An earlier client submitted it under this id; None: and never learned its id."""
        if task_id is not None and task_id not in self._ids:
            self._identify(task_id, attempt)
        elif task_id is None and attempt not in self._kept and attempt not in self._since:
            self.lost(attempt)

    def unwant(self, attempt: str) -> None:
        """Whatever of this attempt turns up is to be cancelled."""
        self._unwanted.add(attempt)

    def is_absent(self, attempt: str) -> bool:
        """Nobody wants it, and the server was seen to have nothing of it. Should it still turn up, it is cancelled."""
        return attempt in self._unwanted and attempt not in self._kept and self._is_clear(attempt)

    async def look(self, attempt: str) -> str | None:
        """The id of an attempt in doubt, if the server has it. Raises TransportError if it cannot be asked."""
        if attempt not in self._kept and not self._is_clear(attempt):
            found = await self._sweep.find(attempt)
            found.sort(key=lambda task: as_text(task.get("state")) == "CANCELED")
            for task in found:
                if task_id := as_text(task.get("id")):
                    self._identify(task_id, attempt)
            await self.cancel_surplus()
        return self._kept.get(attempt)

    async def settle(self, listing: Listing, *, began: float) -> None:
        """Find out whose the unknown tasks of a listing are, and cancel those that are too many."""
        if not self.watchful:
            return
        unknown = [task_id for task_id in listing.states if task_id not in self._ids]
        try:
            complete = await self._settle(unknown) and listing.complete
        except TransportError as error:
            _log.debug("unknown tasks are looked at later: %s", error)
            return
        if complete:
            self._clear_from = began
            self._repeated = {attempt: at for attempt, at in self._repeated.items() if began - at < _LATEST}
        await self.cancel_surplus()

    async def cancel_surplus(self) -> None:
        """Ask for the end of what nobody waits for. What could not be asked now is asked again later."""
        answered = await ask_to_cancel(
            self._client, {task_id: self._sweep.task_url(task_id) for task_id in self._surplus}
        )
        if answered:
            _log.warning("cancelled surplus tasks, left by lost answers: %s", few(answered))
        self._surplus -= answered

    async def _settle(self, unknown: list[str]) -> bool:
        """True if all of them are known now."""
        if len(unknown) > _MOST_LOOKS:  # an earlier client of this run left many: ask for the few in doubt instead
            for attempt in list(self._since)[:_MOST_LOOKS]:
                await self.look(attempt)
            return False
        tasks = await self._sweep.tasks(unknown, view="BASIC")
        for task_id, task in tasks.items():
            self._identify(task_id, "" if task is None else attempt_of(task) or "")
        return len(tasks) == len(unknown)

    def _is_clear(self, attempt: str) -> bool:
        """A recent complete listing, begun after the doubt arose, held nothing unknown."""
        since = self._since.get(attempt)
        return since is not None and self._clear_from > max(since, time.monotonic() - _FRESH)

    def _identify(self, task_id: str, attempt: str) -> None:
        self._ids.add(task_id)
        if not attempt:
            return
        kept = self._kept.setdefault(attempt, task_id)
        if attempt in self._unwanted or kept != task_id:
            self._surplus.add(task_id)
        self._since.pop(attempt, None)
        if self._lost.get(attempt, 0) > 1:
            self._repeated.setdefault(attempt, time.monotonic())
