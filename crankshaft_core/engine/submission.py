"""Handing attempts to a backend: in turn, held back while it takes none, looked for where it is in doubt."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from crankshaft_core.backends.base import Attempt, Backend, Job, Outcome
from crankshaft_core.engine.cancellation import Cancellation
from crankshaft_core.engine.gate import Gate
from crankshaft_core.engine.live import LiveTask, Withdrawn
from crankshaft_core.engine.results import reason_of
from crankshaft_core.engine.watch import Watch
from crankshaft_core.errors import (
    AnswerLostError,
    AuthenticationError,
    BackendError,
    SubmitDeferred,
    SubmitInDoubt,
    TransportError,
)
from crankshaft_core.events import Event, TaskHeld

__all__ = ["Submission"]

_log = logging.getLogger(__name__)
_LOCKED_OUT = 300.0
"""Seconds between two tries at a system that does not let us in."""


class Submission:
    """The submits of one backend. Only one known not to have been accepted is repeated."""

    def __init__(
        self, backend: Backend, watch: Watch, cancellation: Cancellation, *, publish: Callable[[Event], None]
    ) -> None:
        self._backend = backend
        self._watch = watch
        self._cancellation = cancellation
        self._publish = publish
        self._gate = Gate()
        self._was_let_in = False
        self._refusal: AuthenticationError | None = None

    def job_ended(self) -> None:
        """There may be room again: let one that is held back try."""
        self._gate.reopen()

    def close(self) -> None:
        """Nobody submits any more."""
        self._gate.close()

    async def submit(self, live: LiveTask, attempt: Attempt) -> str:
        """Until the system has it or refuses it for good. Cancelled in the middle, the call still completes."""
        while True:
            await self._pass_gate(live)
            accepted = True
            try:
                job_id = await self._backend.submit(attempt)
            except AuthenticationError as error:
                accepted = False
                self._shut_out(live, error)
            except (SubmitDeferred, TransportError) as error:
                accepted = False
                self._hold(live, error, error.retry_after if isinstance(error, SubmitDeferred) else None)
            except (SubmitInDoubt, AnswerLostError) as error:
                attempt = attempt.repeated()
                _log.warning("%s: submit in doubt: %s", live.name, error)
            else:
                self._was_let_in, self._refusal = True, None
                return job_id
            finally:
                self._gate.left(accepted=accepted)
            if attempt.again and (found := await self._look_for(live, attempt)):
                return found

    async def _pass_gate(self, live: LiveTask) -> None:
        """Wait for the turn. Raises Withdrawn when cancelled meanwhile, and what shut everybody out before."""
        waiting = self._gate.enter()
        if waiting is not None:
            try:
                await live.wait(waiting)
            except Withdrawn:
                self._gate.forsake(waiting)
                raise
        if live.cancelled or self._refusal is not None:
            self._gate.left(accepted=True)
            raise self._refusal or Withdrawn

    def _hold(self, live: LiveTask, error: BackendError, retry_after: float | None) -> None:
        self._gate.defer(retry_after)
        self._publish(TaskHeld(live.id, live.name, live.backend, reason_of(error, backend=live.backend)))

    def _shut_out(self, live: LiveTask, error: AuthenticationError) -> None:
        """Accounts get locked by trying: who was never let in fails at once, with all that wait behind it.

        Who was let in before waits long: a token or a login may be renewed while jobs go on.
        """
        if self._was_let_in:
            self._hold(live, error, _LOCKED_OUT)
            return
        if self._refusal is None:
            self._refusal = error
            asyncio.get_running_loop().call_later(_LOCKED_OUT, self._forgive)
        raise error

    def _forgive(self) -> None:
        self._refusal = None

    async def _look_for(self, live: LiveTask, attempt: Attempt) -> str | None:
        """Let the poller look for a submit in doubt; its id if it is found before the time for another try."""
        loop = asyncio.get_running_loop()
        live.job = Job(attempt.id, attempt.run, None)
        live.ended, live.located = loop.create_future(), loop.create_future()
        live.asked_to_end = None
        self._watch.add(live)
        if live.cancelled:
            self._cancellation.add(live)
        try:
            waiting: list[asyncio.Future[Outcome | None] | asyncio.Future[None]] = [live.ended, live.located]
            await asyncio.wait(
                waiting,
                timeout=None if live.cancelled else self._backend.cadence.in_doubt,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if live.cancelled and not live.located.done():
                await live.ended  # CancelUnconfirmed, if the system cannot say
                raise Withdrawn
            return live.job.id or (attempt.id if live.ended.done() else None)
        finally:
            self._watch.discard(live)
