"""The client that runs the system's ssh, for sites with Kerberos or one-time codes.

One master connection, and on it a session for each channel (ssh_config(5), ControlMaster). A master that a person has
opened, by `crankshaft login` or by hand, is used where there is one; else one of our own is started, which ends by
itself soon after the last session, even if we are killed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from crankshaft_core.drivers.ssh.channel import Channel
from crankshaft_core.drivers.ssh.openssh_args import (
    LONGEST_SOCKET,
    common,
    login_socket,
    option,
    quoted,
    write_pin,
)
from crankshaft_core.drivers.ssh.openssh_log import failure, last_words
from crankshaft_core.drivers.ssh.pipes import ProcessChannel, end_session
from crankshaft_core.drivers.ssh.settings import SSHSettings
from crankshaft_core.drivers.ssh.target import Target
from crankshaft_core.errors import TransportError

__all__ = ["OpenSSHLink"]

PERSISTS = "60"
"""Seconds that our master outlives its last session."""
CHECK_TIMEOUT = 10.0
"""Seconds for asking a master whether it is there; it does not touch the network."""


class OpenSSHLink:
    """A master connection, ours or a person's."""

    def __init__(self, settings: SSHSettings, target: Target) -> None:
        self._settings = settings
        self._target = target
        self._folder = _private_folder()
        self._log = self._folder / "log"
        self._socket = self._folder / "m"
        self._control: list[str] = []
        self._own = False
        self._starting: subprocess.Popen[bytes] | None = None
        self._closed = False

    @property
    def alive(self) -> bool:
        """The master answers."""
        return self._answers(self._control)

    @property
    def epitaph(self) -> str:
        """What our master said last."""
        return last_words(_text(self._log))

    def establish(self) -> None:
        """Find a master, or start one. Raises TransportError, AuthenticationError."""
        opened = login_socket(self._target)
        by_hand = [option("ControlPath", quoted(opened))] if _is_ours(opened) else []
        for control in (*by_hand, []):
            if self._answers(control):  # the empty one: what the user's own ssh_config says
                self._control = control
                return
        if self._closed:
            raise TransportError(f"{self._target.where}: closed while it was being connected")
        self._control = option("ControlPath", quoted(self._socket))
        self._start()

    def open(self, command: str, *, timeout: float) -> Channel:  # noqa: ARG002 a session on a master opens at once
        """A session on the master. It never makes a connection of its own: for that, its way there leads nowhere."""
        args = self._common(self._control) + option("ControlMaster", "no") + option("LogLevel", "ERROR")
        args += option("ProxyCommand", "false")
        return ProcessChannel([*args, "--", self._target.host, command], environ=_environ(), told=self._refused)

    def close(self) -> None:
        """End our master; leave a person's alone."""
        self._closed = True
        if self._starting is not None:
            end_session(self._starting)
        if self._own:
            self._ask(self._control, "exit")
        shutil.rmtree(self._folder, ignore_errors=True)

    def _refused(self, last_words: str) -> TransportError | None:
        if "Session open refused" not in last_words:
            return None
        return TransportError(
            f"{self._target.where}: the server refuses another session; two are needed, see MaxSessions"
        )

    def _common(self, control: Sequence[str]) -> list[str]:
        return [*common(self._settings, self._target, batch=True, pin_file=self._pin_file()), *control]

    def _pin_file(self) -> Path | None:
        file = self._folder / "known_hosts"
        return file if file.exists() else write_pin(self._settings, self._folder)

    def _answers(self, control: Sequence[str]) -> bool:
        return self._ask(control, "check") == 0

    def _ask(self, control: Sequence[str], what: str) -> int | None:
        args = [*self._common(control), "-O", what, "--", self._target.host]
        try:
            return subprocess.run(
                args, stdin=subprocess.DEVNULL, capture_output=True, timeout=CHECK_TIMEOUT, check=False, env=_environ()
            ).returncode
        except subprocess.TimeoutExpired:
            return None
        except FileNotFoundError as error:
            raise TransportError(
                f'{self._target.where}: client = "openssh" needs the program ssh, which is not on the PATH'
            ) from error

    def _start(self) -> None:
        """Our own master. It goes to the background once it is let in, or ends with what went wrong in its log."""
        args = self._common(self._control) + option("ControlMaster", "yes") + option("ControlPersist", PERSISTS)
        with self._log.open("wb") as log:
            self._starting = subprocess.Popen(
                [*args, "-v", "-N", "--", self._target.host],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
                env=_environ(),
            )
        try:
            status = self._starting.wait(self._target.connect_timeout * (1 + len(self._target.jumps)) + 1)
        except subprocess.TimeoutExpired:
            end_session(self._starting)
            raise TransportError(
                f"{self._target.where}: no connection within {self._target.connect_timeout:g} s"
            ) from None
        finally:
            self._starting = None
        if status != 0:
            raise failure(_text(self._log), self._target)
        self._own = True


def _private_folder() -> Path:
    folder = tempfile.mkdtemp(prefix="ck-ssh-")
    if len(folder) <= LONGEST_SOCKET:
        return Path(folder)
    os.rmdir(folder)  # noqa: PTH106 made by mkdtemp just now
    return Path(tempfile.mkdtemp(prefix="ck-ssh-", dir="/tmp"))


def _is_ours(socket: Path) -> bool:
    try:
        return socket.lstat().st_uid == os.getuid()
    except OSError:
        return False


def _environ() -> dict[str, str]:
    """Nothing may pop up a window to ask for a password."""
    environ = {name: value for name, value in os.environ.items() if name not in {"DISPLAY", "SSH_ASKPASS"}}
    return {**environ, "SSH_ASKPASS_REQUIRE": "never"}


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
