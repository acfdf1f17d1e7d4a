"""Handing attempts to a backend: in turn, held back while it takes none, looked for where it is in doubt."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from crankshaft_core.backends.base import Attempt, Backend, Job, Outcome
from crankshaft_core.engine.cancellation import Cancellation
from crankshaft_core.engine.gate import Gate
from crankshaft_core.engine.live import LiveTask, Withdrawn
from crankshaft_core.engine.outages import LOCKED_OUT
from crankshaft_core.engine.refusals import Refusals
from crankshaft_core.engine.results import reason_of
from crankshaft_core.engine.watch import Watch
from crankshaft_core.errors import (
    AnswerLostError,
    AuthenticationError,
    BackendError,
    SubmitDeferred,
    SubmitError,
    SubmitInDoubt,
    TransportError,
)
from crankshaft_core.events import Event, TaskHeld

__all__ = ["Submission"]

_log = logging.getLogger(__name__)
_ACCIDENTS = 5
"""Submits in doubt, one after the other with none accepted, that are taken for the trouble of a whole system."""


class Submission:
    """The submits of one backend. Only one known not to have been accepted is repeated.

    `located` adds to a refusal where in the configuration the words stand that it complains of.
    """

    def __init__(
        self,
        backend: Backend,
        watch: Watch,
        cancellation: Cancellation,
        *,
        publish: Callable[[Event], None],
        located: Callable[[str], str] = str,
    ) -> None:
        self._backend = backend
        self._watch = watch
        self._cancellation = cancellation
        self._publish = publish
        self._located = located
        self._gate = Gate()
        self._refusals = Refusals(publish=publish)
        self._doubts = 0
        self._was_let_in = False
        self._shut_until = 0.0
        self._refusal: AuthenticationError | None = None
        watch.outages.polls_let_in = self._try_login

    def job_ended(self) -> None:
        """There may be room again: let one that is held back try. A login is no better for it."""
        if asyncio.get_running_loop().time() >= self._shut_until:
            self._gate.reopen()

    def at_rest(self) -> None:
        """No other task is on its way: nothing more comes together with what was refused by now."""
        self._refusals.tell()

    def close(self) -> None:
        """Nobody submits any more."""
        self._gate.close()
        self._refusals.close()

    async def submit(self, live: LiveTask, attempt: Attempt) -> str:
        """Until the system has it or refuses it for good. Cancelled in the middle, the call still completes."""
        while True:
            await self._pass_gate(live, attempt)
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
                accepted = not self._is_in_trouble(live, error)
            except SubmitError as error:
                raise self._refused(live, attempt, error) from error
            else:
                self._passed()
                return job_id
            finally:
                self._gate.left(accepted=accepted)
            if attempt.again and (found := await self._look_for(live, attempt)):
                return found

    async def _pass_gate(self, live: LiveTask, attempt: Attempt) -> None:
        """Wait for the turn. Raises Withdrawn when cancelled meanwhile, and what others before were told for good."""
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
        if not attempt.again and (standing := self._refusals.standing(attempt.task)):
            self._gate.left(accepted=True)
            raise standing

    def _refused(self, live: LiveTask, attempt: Attempt, error: SubmitError) -> SubmitError:
        """Counted, and with its place in the configuration."""
        told = SubmitError(self._located(str(error)), result=error.result)
        self._refusals.refused(live.backend, attempt.task, told)
        return told

    def _passed(self) -> None:
        self._was_let_in, self._refusal, self._shut_until = True, None, 0.0
        self._doubts = 0
        self._refusals.accepted()
        self._watch.outages.let_in(by="submit")

    def _hold(self, live: LiveTask, error: BackendError, retry_after: float | None) -> None:
        self._gate.defer(retry_after)
        self._publish(TaskHeld(live.id, live.name, live.backend, reason_of(error, backend=live.backend)))

    def _is_in_trouble(self, live: LiveTask, error: BackendError) -> bool:
        """One lost answer is an accident; after some in a row the system is not to be pressed with more submits."""
        self._doubts += 1
        if self._doubts < _ACCIDENTS:
            return False
        self._hold(live, error, None)
        return True

    def _shut_out(self, live: LiveTask, error: AuthenticationError) -> None:
        """Accounts get locked by trying: who was never let in fails at once, with all that wait behind it.

        Who was let in before waits long: a token or a login may be renewed while jobs go on.
        """
        if self._was_let_in:
            self._shut_until = asyncio.get_running_loop().time() + LOCKED_OUT
            self._watch.outages.locked_out(error, by="submit")
            self._hold(live, error, LOCKED_OUT)
            return
        if self._refusal is None:
            self._refusal = error
            asyncio.get_running_loop().call_later(LOCKED_OUT, self._forgive)
        raise error

    def _try_login(self) -> None:
        self._shut_until, self._refusal = 0.0, None
        self._gate.reopen()

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
