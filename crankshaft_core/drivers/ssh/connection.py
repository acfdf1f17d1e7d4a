"""The one connection to a place: made when needed, made anew when it broke, never forced on a server that refuses."""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass

from crankshaft_core.drivers.ssh.backoff import Backoff, Timing
from crankshaft_core.drivers.ssh.channel import Client, Link
from crankshaft_core.drivers.ssh.credentials import stamp
from crankshaft_core.drivers.ssh.framing import BASH, Process, end_group
from crankshaft_core.drivers.ssh.settings import SSHSettings
from crankshaft_core.drivers.ssh.shell import Shell
from crankshaft_core.drivers.ssh.target import Target
from crankshaft_core.errors import AuthenticationError, ConfigError, TransportError

__all__ = ["Connection", "Outage"]

REUSED_LINK_TIMEOUT = 30.0
"""Seconds for a new channel on a connection that may have died unseen."""


@dataclass(frozen=True, slots=True)
class Outage:
    """Why there is no connection. `since` is in seconds since the epoch, `retry_in` in seconds from now."""

    since: float
    reason: str
    retry_in: float


@dataclass(frozen=True, slots=True)
class _Refusal:
    message: str
    stamp: Hashable


class Connection:
    """Opens shells on one link. For several threads; a thread that needs the link waits for the one that makes it."""

    def __init__(self, settings: SSHSettings, target: Target, client: Client, *, timing: Timing) -> None:
        self.where = target.where
        self._settings = settings
        self._target = target
        self._client = client
        self._timing = timing
        self._backoff = Backoff(timing)
        self._making = threading.Lock()
        self._link: Link | None = None
        self._closed = False
        self._refusal: _Refusal | None = None
        self._lost_at: float | None = None
        self._reason = ""
        self._worked = False

    @property
    def outage(self) -> Outage | None:
        """None while connected, or not yet used."""
        if self._lost_at is None:
            return None
        return Outage(self._lost_at, self._reason, self._backoff.remaining)

    def open_shell(self, stale: Process | None = None) -> Shell:
        """A fresh shell, on the link there is or a new one. `stale`: one that was given up and is to be ended there.

        Raises TransportError, AuthenticationError; no script has been sent then.
        """
        while True:
            link, fresh = self._current_link()
            try:
                return self._start_shell(link, stale, fresh=fresh)
            except TransportError:
                if stale is None or fresh:
                    raise
                self.drop(link, "")  # the stale shell may hold the last session the server allows
            except (TimeoutError, ConnectionError, EOFError) as error:
                self.drop(link, link.epitaph or str(error))
                if fresh:
                    self._failed(str(error))
                    raise TransportError(f"{self.where}: {error}") from error

    def worked(self) -> None:
        """A call was answered."""
        self._worked = True
        self._backoff.succeeded()
        self._lost_at = None

    def lost(self, reason: str) -> str:
        """A channel broke off in a call. Returns the reason, in the link's words where it has some."""
        link = self._link
        told = (link.epitaph if link is not None and not link.alive else "") or reason
        self._note_loss(told)
        return told

    def drop(self, link: Link, reason: str) -> None:
        """Give up a link, unless another thread has replaced it already."""
        with self._making:
            if self._link is link:
                self._link = None
                self._note_loss(reason)
        link.close()

    def close(self) -> None:
        """Hang up for good, also on a link that is just being made."""
        self._closed = True
        link = self._link
        if link is not None:
            link.close()

    def _current_link(self) -> tuple[Link, bool]:
        """The link, and whether it was made just now."""
        with self._making:
            if self._link is not None and self._link.alive:
                return self._link, False
            if self._link is not None:
                self._note_loss(self._link.epitaph)
                self._link.close()
                self._link = None
            self._may_try()
            self._link = self._client(self._settings, self._target)
            self._establish(self._link)
            return self._link, True

    def _may_try(self) -> None:
        self._refuse_if_closed()
        if self._refusal is not None:
            if self._refusal.stamp == stamp(self._target):
                raise AuthenticationError(self._refusal.message)
            self._refusal = None
            return
        remaining = self._backoff.remaining
        if remaining > 0:
            raise TransportError(f"{self.where}: {self._history()}; retrying in {max(1, round(remaining))} s")

    def _establish(self, link: Link) -> None:
        before = stamp(self._target)
        try:
            self._refuse_if_closed()
            link.establish()
            self._refuse_if_closed()
        except (AuthenticationError, ConfigError) as error:  # a secret that cannot be had keeps us out as well
            self._refusal = _Refusal(str(error), before)
            self._forget(link, str(error))
            raise AuthenticationError(str(error)) from error
        except TransportError as error:
            self._forget(link, str(error).removeprefix(f"{self.where}: "))
            if not self._worked:
                raise
            raise TransportError(f"{self.where}: {self._history()}") from error
        except BaseException as error:
            self._forget(link, str(error))
            raise

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise TransportError(f"{self.where}: the connection has been closed")

    def _forget(self, link: Link, reason: str) -> None:
        self._link = None
        link.close()
        self._failed(reason)

    def _failed(self, reason: str) -> None:
        self._note_loss(reason)
        self._backoff.failed()

    def _start_shell(self, link: Link, stale: Process | None, *, fresh: bool) -> Shell:
        timeout = self._target.connect_timeout
        channel = link.open(BASH, timeout=timeout if fresh else min(timeout, REUSED_LINK_TIMEOUT))
        shell = Shell(channel, login=self._settings.login, clock=self._timing.monotonic)
        try:
            shell.start(timeout)
            if stale is not None and stale.group:
                shell.run(end_group(stale), timeout=timeout)
        except BaseException:
            shell.close()
            raise
        return shell

    def _note_loss(self, reason: str) -> None:
        if self._lost_at is None:
            self._lost_at = self._timing.wall()
        self._reason = reason or self._reason

    def _history(self) -> str:
        lost_at = time.strftime("%H:%M", time.localtime(self._lost_at))
        return f"{'connection lost' if self._worked else 'no connection since'} {lost_at}" + (
            f" ({self._reason})" if self._reason else ""
        )
