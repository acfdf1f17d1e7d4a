"""The client for which nothing need be installed. The only file that knows paramiko; none of its objects leaves it.

Host keys, the order of keys and ssh_config are decided elsewhere: paramiko does the cryptography and the channels.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
import time
from collections.abc import Generator, Sequence
from pathlib import Path

import paramiko
from paramiko.agent import AgentSSH

from crankshaft_core.drivers.ssh.agent import Agent, AgentKey, open_agent
from crankshaft_core.drivers.ssh.channel import Channel
from crankshaft_core.drivers.ssh.host_keys import fingerprint, known_types, problem
from crankshaft_core.drivers.ssh.identities import Candidate, candidates_for
from crankshaft_core.drivers.ssh.passwords import PasswordAnswer
from crankshaft_core.drivers.ssh.refusal import code_needed, not_let_in
from crankshaft_core.drivers.ssh.settings import HostKey, SSHSettings
from crankshaft_core.drivers.ssh.sockets import ProxyProcess, dial
from crankshaft_core.drivers.ssh.target import Target
from crankshaft_core.errors import AuthenticationError, BackendError, CrankshaftError, TransportError

__all__ = ["ParamikoLink"]

CHUNK = 65_536
"""Bytes read at once."""
SLICE = 0.25
"""Seconds after which a waiting reader looks whether somebody has closed the channel."""
_CLIENT = "paramiko"
_LOG = "crankshaft_core.drivers.ssh.paramiko"
_RSA = ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")


class ParamikoLink:
    """The transports of all hops; channels are opened on the last."""

    def __init__(self, settings: SSHSettings, target: Target) -> None:  # noqa: ARG002 all it needs is in the target
        self._target = target
        self._transports: list[paramiko.Transport] = []
        self._proxies: list[ProxyProcess] = []
        self._dialling: socket.socket | None = None
        self._closed = False

    @property
    def alive(self) -> bool:
        """All transports still say so."""
        return all(transport.is_active() for transport in self._transports)

    @property
    def epitaph(self) -> str:
        """What the first broken transport broke of."""
        errors = [str(transport.saved_exception or "") for transport in self._transports]
        return next(filter(None, errors), "")

    def establish(self) -> None:
        """One hop after the other."""
        _keep_paramiko_quiet()
        for hop in (*self._target.jumps, self._target):
            if self._closed:
                raise TransportError(f"{self._target.where}: closed while it was being connected")
            self._extend(hop)

    def open(self, command: str, *, timeout: float) -> Channel:
        """A session on the last transport."""
        transport = self._transports[-1]
        with _deadline(transport, timeout) as late:
            try:
                channel = transport.open_session(timeout=timeout)
                channel.exec_command(command)
            except paramiko.ChannelException as error:
                raise TransportError(
                    f"{self._target.where}: the server refuses another session; two are needed, see MaxSessions"
                ) from error
            except Exception as error:  # as above
                if late.is_set() or "Timeout" in str(error):
                    raise TimeoutError(f"no session within {timeout:g} s") from error
                raise ConnectionError(str(error) or "connection lost") from error
        return _Channel(channel)

    def close(self) -> None:
        """From the last transport to the first."""
        self._closed = True
        if self._dialling is not None:
            with contextlib.suppress(OSError):  # wakes up a connect under way; an error if there is none any more
                self._dialling.shutdown(socket.SHUT_RDWR)
        for transport in reversed(self._transports):
            _end(transport)
        for proxy in reversed(self._proxies):
            proxy.close()
        self._proxies.clear()

    def _extend(self, target: Target) -> None:
        way = self._way(target)
        transport = paramiko.Transport(way)
        transport.set_log_channel(_LOG)
        self._transports.append(transport)
        with _deadline(transport, target.connect_timeout) as late:
            try:
                _shake_hands(transport, target)
                _authenticate(transport, target)
            except CrankshaftError:
                if late.is_set():
                    raise self._too_late(target) from None
                raise
            except Exception as error:  # whatever paramiko's own thread died of is raised here
                told = self._too_late(target) if late.is_set() else TransportError(self._reason(error, target))
                raise told from error
        transport.set_keepalive(max(1, int(target.keepalive)))

    def _way(self, target: Target) -> socket.socket | paramiko.Channel:
        if self._transports:
            return self._tunnel(target)
        if target.proxy_command is None:
            return self._dial(target)
        self._proxies.append(ProxyProcess(target.proxy_command))
        return self._proxies[-1].socket

    def _dial(self, target: Target) -> socket.socket:
        def opened(connection: socket.socket) -> None:
            self._dialling = connection

        try:
            return dial(target, opened)
        finally:
            self._dialling = None

    def _tunnel(self, target: Target) -> paramiko.Channel:
        address = (target.hostname, target.port)
        try:
            return self._transports[-1].open_channel(
                "direct-tcpip", address, ("127.0.0.1", 0), timeout=target.connect_timeout
            )
        except (paramiko.SSHException, OSError, EOFError) as error:
            text = error.text if isinstance(error, paramiko.ChannelException) else str(error)
            raise TransportError(
                f"{target.where}: cannot reach {target.hostname} port {target.port} through the jump host: {text}"
            ) from error

    def _too_late(self, target: Target) -> TransportError:
        return TransportError(f"{target.where}: no connection within {target.connect_timeout:g} s")

    def _reason(self, error: Exception, target: Target) -> str:
        words = [proxy.last_words for proxy in self._proxies if proxy.last_words]
        told = f"ProxyCommand: {words[-1]}" if words else str(error) or "the server hung up"
        return f"{target.where}: {told}"


class _Channel:
    """A session's streams."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        self._closed = False
        self._ready = select.poll()
        self._ready.register(channel.fileno(), select.POLLIN)

    def send(self, data: bytes, *, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        at = 0
        while at < len(data):
            self._channel.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                sent = self._channel.send(data[at : at + CHUNK])
            except TimeoutError:
                raise TimeoutError("the other side takes no more") from None
            except (OSError, EOFError, paramiko.SSHException) as error:
                raise ConnectionError(str(error) or "connection lost") from error
            if sent == 0:
                raise ConnectionError("connection lost")
            at += sent

    def receive(self, timeout: float) -> tuple[bytes, bytes]:
        deadline = time.monotonic() + timeout
        while True:
            ended = bool(self._channel.closed or self._channel.eof_received or self._closed)
            out, err = self._take()
            if out or err:
                return out, err
            if ended:
                raise EOFError("connection closed")
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return b"", b""
            self._ready.poll(min(remaining, SLICE) * 1000)

    def close(self) -> None:
        self._closed = True
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):  # hanging up on a dead line
            self._channel.close()

    def _take(self) -> tuple[bytes, bytes]:
        out = self._channel.recv(CHUNK) if self._channel.recv_ready() else b""
        err = self._channel.recv_stderr(CHUNK) if self._channel.recv_stderr_ready() else b""
        return out, err


class _AgentSigner(paramiko.AgentKey):
    """A key of the agent. If the agent will not sign, the server refuses this key, and the next one is tried."""

    def __init__(self, agent: Agent, key: AgentKey) -> None:
        super().__init__(AgentSSH(), key.blob, key.comment)
        self._signer = agent

    def sign_ssh_data(self, data: bytes, algorithm: str | None = None) -> bytes:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride] the stubs say Message; paramiko's code takes and gives bytes
        try:
            return self._signer.sign(self.asbytes(), data, algorithm=algorithm or self.get_name())
        except OSError:
            return b""


@contextlib.contextmanager
def _deadline(transport: paramiko.Transport, seconds: float) -> Generator[threading.Event]:
    """Closes the transport after `seconds`, since not all of paramiko's waits end by themselves. Set: it happened."""
    late = threading.Event()

    def expire() -> None:
        late.set()
        _hang_up(transport)

    timer = threading.Timer(seconds, expire)
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()
        timer.join()


def _end(transport: paramiko.Transport) -> None:
    """Close it, and see its thread end."""
    _hang_up(transport)
    if transport.is_alive():
        transport.join(2)
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        transport.sock.close()


def _hang_up(transport: paramiko.Transport) -> None:
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):  # the line may be dead already
        transport.close()


def _keep_paramiko_quiet() -> None:
    """Paramiko logs tracebacks of what is raised anyway. Who wants them gives this logger a level."""
    logger = logging.getLogger(_LOG)
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.CRITICAL + 1)


def _shake_hands(transport: paramiko.Transport, target: Target) -> None:
    """Agree on keys, and make sure that it is the right host."""
    patience = target.connect_timeout + 1  # the deadline comes first, and knows what to say
    transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = patience
    options = transport.get_security_options()
    wanted = [name for type_ in known_types(target.place) for name in (_RSA if type_ == "ssh-rsa" else (type_,))]
    first = [name for name in wanted if name in options.key_types]
    options.key_types = (*first, *(name for name in options.key_types if name not in first))
    transport.start_client()
    key = transport.get_remote_server_key()
    offered = HostKey(key.get_name(), key.get_base64())
    wrong = problem(target.place, offered.type, fingerprint(offered))
    if wrong is not None:
        raise AuthenticationError(wrong)


def _authenticate(transport: paramiko.Transport, target: Target) -> None:
    accepted = _accepted_methods(transport, target)
    if accepted is None:
        return
    more: Sequence[str] | None = accepted
    if "publickey" in accepted:
        more = _offer_keys(transport, target, accepted)
    if more is None:
        return
    if target.password is None:
        raise code_needed(target, client=_CLIENT, accepted=more)
    _offer_password(transport, target, more)


def _accepted_methods(transport: paramiko.Transport, target: Target) -> Sequence[str] | None:
    """What the server takes; None if it takes us as we are."""
    try:
        transport.auth_none(target.user)
    except paramiko.BadAuthenticationType as error:
        return error.allowed_types
    return None


def _offer_keys(transport: paramiko.Transport, target: Target, accepted: Sequence[str]) -> Sequence[str] | None:
    """None once let in; else what the server wants besides a key, or instead of one where there is a password."""
    tried: list[str] = []
    with open_agent(target.agent) as agent:
        for candidate in candidates_for(target, agent):
            key = _load(candidate, target, agent)
            if key is None:
                continue
            tried.append(candidate.label)
            try:
                return transport.auth_publickey(target.user, key) or None
            except paramiko.AuthenticationException as error:
                if not transport.is_active():
                    raise _cut_off(target, tried, accepted) from error
    if target.password is not None:
        return [method for method in accepted if method != "publickey"]
    raise not_let_in(target, tried=tried, accepted=accepted, client=_CLIENT)


def _cut_off(target: Target, tried: Sequence[str], accepted: Sequence[str]) -> BackendError:
    """The line went dead while keys were offered: by the server's will if it had refused some before."""
    if len(tried) > 1:
        return not_let_in(target, tried=tried, accepted=accepted, client=_CLIENT, hung_up=True)
    return TransportError(f"{target.where}: connection lost while logging in")


def _offer_password(transport: paramiko.Transport, target: Target, accepted: Sequence[str]) -> None:
    assert target.password is not None
    password = target.password.reveal()
    more: Sequence[str]
    try:
        if "password" in accepted:
            more = transport.auth_password(target.user, password, fallback=False)
        else:
            more = _answer_question(transport, target, password)
    except paramiko.BadAuthenticationType as error:
        raise code_needed(target, client=_CLIENT, accepted=error.allowed_types) from error
    except paramiko.AuthenticationException as error:
        raise AuthenticationError(
            f"{target.where}: the password was refused. Correct it; it is not tried again by itself."
        ) from error
    if more:
        raise code_needed(target, client=_CLIENT, accepted=more)


def _answer_question(transport: paramiko.Transport, target: Target, password: str) -> Sequence[str]:
    answer = PasswordAnswer(password)
    try:
        return transport.auth_interactive(target.user, answer)
    except paramiko.AuthenticationException as error:
        if answer.asked_for_more:
            raise code_needed(target, client=_CLIENT, accepted=("keyboard-interactive",)) from error
        raise


def _load(candidate: Candidate, target: Target, agent: Agent | None) -> paramiko.PKey | None:
    """The key itself; None for a file that cannot be used without a passphrase, or not by paramiko."""
    if candidate.agent is not None:
        assert agent is not None
        try:
            return _AgentSigner(agent, candidate.agent)
        except (paramiko.SSHException, ValueError):  # of a kind that paramiko does not know
            return None
    assert candidate.path is not None
    if not candidate.encrypted:
        return _read_key(candidate.path, None)
    if target.passphrase is None:
        return None
    key = _read_key(candidate.path, target.passphrase.reveal())
    if key is None:
        raise AuthenticationError(f"{target.where}: the passphrase does not open {candidate.path}")
    return key


def _read_key(path: str, passphrase: str | None) -> paramiko.PKey | None:
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            key = kind.from_private_key_file(path, passphrase)
        except (paramiko.SSHException, ValueError, OSError):  # a key of another kind, or a wrong passphrase
            continue
        certificate = f"{path}-cert.pub"
        if Path(certificate).is_file():
            key.load_certificate(certificate)
        return key
    return None
