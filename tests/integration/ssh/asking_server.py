"""A server that asks for passwords, which the real one cannot here: it would want a system account with one.

The server half of paramiko, with a real bash behind it.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import SHUT_RDWR, create_server, socket

import paramiko

CHUNK = 65_536


@contextmanager
def asking(host_key: Path, *, methods: str, password: str) -> Iterator[AskingServer]:
    """`methods`: what it takes, such as "password" or "keyboard-interactive"."""
    with create_server(("127.0.0.1", 0)) as listener:
        server = AskingServer(listener, paramiko.Ed25519Key.from_private_key_file(str(host_key)), methods, password)
        accepting = threading.Thread(target=server.accept)
        accepting.start()
        try:
            yield server
        finally:
            listener.shutdown(SHUT_RDWR)
            accepting.join()
            server.close()


class AskingServer:
    def __init__(self, listener: socket, host_key: paramiko.PKey, methods: str, password: str) -> None:
        self.port: int = listener.getsockname()[1]
        self.passwords: list[str] = []
        """All that were tried."""
        self.questions = [("Password: ", False)]
        self._listener = listener
        self._host_key = host_key
        self._methods = methods
        self._password = password
        self._transports: list[paramiko.Transport] = []

    def accept(self) -> None:
        with suppress(OSError):  # the listener is shut down
            while True:
                connection, _ = self._listener.accept()
                transport = paramiko.Transport(connection)
                transport.set_log_channel("crankshaft_core.drivers.ssh.paramiko")
                transport.add_server_key(self._host_key)
                self._transports.append(transport)
                with suppress(paramiko.SSHException, EOFError):
                    transport.start_server(server=_Rules(self))

    def close(self) -> None:
        for transport in self._transports:
            transport.close()
            transport.join()

    def judge(self, password: str) -> int:
        self.passwords.append(password)
        return paramiko.AUTH_SUCCESSFUL if password == self._password else paramiko.AUTH_FAILED


class _Rules(paramiko.ServerInterface):
    def __init__(self, server: AskingServer) -> None:
        self._server = server

    def get_allowed_auths(self, username: str) -> str:
        return self._server._methods

    def check_auth_password(self, username: str, password: str) -> int:
        return self._server.judge(password)

    def check_auth_interactive(self, username: str, submethods: object) -> paramiko.InteractiveQuery:
        return paramiko.InteractiveQuery("", "", *self._server.questions)

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        return self._server.judge(responses[0])

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=_serve, args=(channel, command)).start()
        return True


def _serve(channel: paramiko.Channel, command: bytes) -> None:
    with subprocess.Popen(
        ["sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        pumps = [
            threading.Thread(target=_pump, args=(process.stdout, channel.sendall)),
            threading.Thread(target=_pump, args=(process.stderr, channel.sendall_stderr)),
        ]
        for pump in pumps:
            pump.start()
        with suppress(OSError):
            while data := channel.recv(CHUNK):
                process.stdin.write(data)
        process.stdin.close()
        for pump in pumps:
            pump.join()
    channel.close()


def _pump(source: object, send: object) -> None:
    with suppress(OSError):
        while data := source.read(CHUNK):  # type: ignore[attr-defined]
            send(data)  # type: ignore[operator]
