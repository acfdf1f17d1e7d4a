"""Requests as the rest of the backend makes them: logged in, repeated where that is safe, and sparing a dead server."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

from crankshaft_core.backends.tes.answer import Answer, login_refusal, refusal
from crankshaft_core.backends.tes.breaker import Breaker, backoff
from crankshaft_core.backends.tes.credentials import Credentials
from crankshaft_core.backends.tes.http import Edge, Request
from crankshaft_core.config.tes import Http
from crankshaft_core.errors import AnswerLostError, AuthenticationError, TransportError

__all__ = ["BusyError", "Client"]

_TROUBLE = frozenset({408, 500, 502, 503, 504, 507, 520, 521, 522, 523, 524, 529})
"""Answers of a server, or of a gateway before it, that is in trouble: whether it did anything cannot be told."""
_LATER = frozenset({425, 429})
"""Answers that say: nothing was done, come again."""


class BusyError(TransportError):
    """Nothing was done for now. `retry_after` is when to come again, in seconds, where that is known.

    `patient`: the server answers and only asked to wait, so waiting is worthwhile; else it seems dead.
    """

    def __init__(self, message: str, *, retry_after: float | None, patient: bool) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.patient = patient


class Client:
    """At most `max_connections` requests are under way at once; the rest wait their turn."""

    def __init__(self, http: Http, url: str, *, backend: str) -> None:
        self.credentials = Credentials(http, backend=backend)
        self.sent = 0
        """Requests sent so far."""
        self._edge = Edge(http, url)
        self._retries = http.retries
        self._breaker = Breaker()
        self._trouble = ""
        """What went wrong last, for whoever is held back because of it."""
        self._places = asyncio.Semaphore(http.max_connections)

    async def once(self, request: Request, *, heard: Collection[int] = ()) -> Answer:
        """Send it once; only a refused login leads to a second try, with a fresh one.

        Raises AnswerLostError when it may have taken effect, TransportError (AuthenticationError, BusyError) when it
        has not. Any other answer, also a refusal, is returned; so is trouble with a status in `heard`.
        """
        async with self._places:
            headers = await self.credentials.headers()
            answer = await self._guarded(request, headers, heard)
            if answer.status == 401 and await self.credentials.renew(headers):
                answer = await self._guarded(request, await self.credentials.headers(), heard)
        if answer.status == 401:
            raise AuthenticationError(login_refusal(answer), advice=self.credentials.advice)
        if answer.status in _LATER:
            raise BusyError(refusal(answer), retry_after=answer.retry_after, patient=True)
        if answer.status in _TROUBLE and answer.status not in heard:
            raise AnswerLostError(refusal(answer))
        return answer

    async def repeat(self, request: Request, *, retries: int | None = None, heard: Collection[int] = ()) -> Answer:
        """Send what does no harm when it arrives twice, until it is answered. Raises only TransportError."""
        most = self._retries if retries is None else retries
        for tried in range(1, most + 1):
            try:
                return await self.once(request, heard=heard)
            except AuthenticationError:
                raise
            except BusyError as error:
                if not error.patient:
                    raise
                delay = backoff(tried) if error.retry_after is None else error.retry_after
            except (AnswerLostError, TransportError):
                delay = backoff(tried)
            await asyncio.sleep(delay)
        try:
            return await self.once(request, heard=heard)
        except AnswerLostError as error:
            raise TransportError(str(error)) from error

    async def aclose(self) -> None:
        """Close the connections."""
        self.credentials.aclose()
        await self._edge.aclose()

    async def _guarded(self, request: Request, headers: Mapping[str, str], heard: Collection[int]) -> Answer:
        """One exchange, if the breaker lets it through; its fate is told to the breaker in every case."""
        self._ask_breaker(request)
        self.sent += 1
        try:
            answer = await self._edge.send(request, headers)
        except (TransportError, AnswerLostError) as error:
            self._trouble = str(error)
            self._breaker.failed(gone=isinstance(error, TransportError))
            raise
        except BaseException:
            self._breaker.abandoned()
            raise
        if answer.status in _LATER:
            self._breaker.pause(answer.retry_after if answer.retry_after is not None else backoff(1))
        elif answer.status in _TROUBLE and answer.status not in heard:
            self._trouble = refusal(answer)
            self._breaker.failed(gone=False)
        else:
            self._breaker.answered()
        return answer

    def _ask_breaker(self, request: Request) -> None:
        patient = self._breaker.paused
        wait = self._breaker.admit()
        if wait <= 0:
            return
        why = "the server asked to wait" if patient else f"the server is not answering ({self._trouble})"
        raise BusyError(f"{request}: not sent, {why}; next try in {wait:.1f} s", retry_after=wait, patient=patient)
