"""An OpenSSH server of one test's own, on a free port of loopback, with rules, keys and a home as the test likes."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from crankshaft_core.drivers.ssh import SSHSettings
from tests.services.running import UnavailableError

USER = getpass.getuser()


class Server:
    """`sshd -D`, and a client's files that fit it: key, known_hosts, ssh_config with the name `login`."""

    def __init__(self, folder: Path, **rules: str) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        self.port = free_port()
        self.log = folder / "sshd.log"
        self.host_key = make_key(folder / "host_key")
        self.user_key = make_key(folder / "user_key")
        self.known_hosts = folder / "known_hosts"
        self.ssh_config = folder / "ssh_config"
        self.authorized_keys = folder / "authorized_keys"
        self.rules = rules
        self.write_files()
        self.process = self._start()

    def write_files(self) -> None:
        self.authorize(self.user_key)
        self.know(self.host_key)
        self.configure()
        rules = {"MaxSessions": "10", **self.rules}
        environment = f"HOME={self.home} {rules.pop('SetEnv', '')}"
        (self.folder / "sshd_config").write_text(
            "".join(f"{name} {value}\n" for name, value in rules.items())  # the first of two counts
            + f"ListenAddress 127.0.0.1:{self.port}\nHostKey {self.host_key}\nPidFile none\n"
            f"AuthorizedKeysFile {self.authorized_keys}\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
            f"KbdInteractiveAuthentication no\nPrintMotd no\nLogLevel VERBOSE\nSetEnv {environment}\n"
        )

    def authorize(self, key: Path) -> None:
        self.authorized_keys.write_text(public(key) + "\n")
        self.authorized_keys.chmod(0o644)

    def know(self, key: Path) -> None:
        """Let known_hosts say that this is the host's key."""
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {public(key)}\n")

    def configure(self, extra: str = "", *, key: Path | None = None) -> None:
        """A client's ssh_config for the host `login`, with `extra` lines in front."""
        self.ssh_config.write_text(
            f"{extra}\nHost login\n  HostName 127.0.0.1\n  Port {self.port}\n  User {USER}\n"
            f"  IdentityFile {key or self.user_key}\n  IdentitiesOnly yes\n  UserKnownHostsFile {self.known_hosts}\n"
        )

    def settings(self, **changed: Any) -> SSHSettings:
        return SSHSettings(**{"host": "login", "ssh_config": str(self.ssh_config), "timeout": 20.0, **changed})

    def logins(self) -> int:
        """How often somebody was let in."""
        return self.log.read_text().count("Accepted publickey for ")

    def attempts(self) -> int:
        """How many connections came."""
        return self.log.read_text().count("Connection from 127.0.0.1")

    def hang_up(self) -> None:
        """End all connections, as a network does: without a word."""
        _end(children(self.process.pid))

    def go_away(self) -> None:
        """End all connections, and let nobody in any more."""
        sessions = children(self.process.pid)
        self.stop()
        _end(sessions)

    def sessions(self) -> int:
        """Connections that are open."""
        return len(children(self.process.pid))

    def stop(self) -> None:
        """No new connections, and none of the old."""
        self.process.terminate()
        self.process.wait()

    def restart(self) -> None:
        self.process = self._start()

    def close(self) -> None:
        if self.process.poll() is None:
            self.hang_up()
            self.stop()

    def _start(self) -> subprocess.Popen[bytes]:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        process = subprocess.Popen(
            [sshd(), "-D", "-f", str(self.folder / "sshd_config"), "-E", str(self.log)], stdin=subprocess.DEVNULL
        )
        wait_until(lambda: answers(self.port), f"sshd on port {self.port}")
        return process


@contextmanager
def serving(folder: Path, **rules: str) -> Iterator[Server]:
    server = Server(folder, **rules)
    try:
        yield server
    finally:
        server.close()


def _end(sessions: list[int]) -> None:
    for child in sessions:
        for process in (*children(child), child):
            with suppress(ProcessLookupError, FileNotFoundError):  # it ends just now
                if command(process) == "sshd":  # its unprivileged half too; a shell goes on
                    os.kill(process, signal.SIGKILL)


def sshd() -> str:
    """sshd wants to be called by its absolute path."""
    found = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None or shutil.which("ssh-keygen") is None:
        raise UnavailableError("no sshd here; apt-get install openssh-server openssh-client")
    return found


def make_key(path: Path, *, passphrase: str = "", kind: str = "ed25519") -> Path:
    if shutil.which("ssh-keygen") is None:
        raise UnavailableError("no ssh-keygen here; apt-get install openssh-client")
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", str(path)],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return path


def public(key: Path) -> str:
    return key.with_name(key.name + ".pub").read_text().strip()


def shown_fingerprint(key: Path) -> str:
    """As ssh-keygen shows it."""
    listed = subprocess.run(["ssh-keygen", "-lf", str(key)], check=True, capture_output=True, text=True).stdout
    return listed.split()[1]


@contextmanager
def agent_holding(*keys: Path) -> Iterator[str]:
    """An ssh-agent with these keys; its socket."""
    started = subprocess.run(["ssh-agent", "-s"], check=True, capture_output=True, text=True).stdout
    variables = dict(part.split("=", 1) for part in started.replace(";", "\n").splitlines() if "=" in part)
    try:
        environ = {**os.environ, "SSH_AUTH_SOCK": variables["SSH_AUTH_SOCK"]}
        for key in keys:
            subprocess.run(["ssh-add", "-q", str(key)], check=True, env=environ, stdin=subprocess.DEVNULL)
        yield variables["SSH_AUTH_SOCK"]
    finally:
        os.kill(int(variables["SSH_AGENT_PID"]), signal.SIGTERM)


def children(pid: int) -> list[int]:
    """Of all its threads."""
    found: list[int] = []
    with suppress(FileNotFoundError, ProcessLookupError):  # it ends just now
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def command(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as probe:
            return probe.recv(4) == b"SSH-"
    except OSError:
        return False


def wait_until(happened: Any, what: str, *, timeout: float = 15.0) -> None:
    deadline = time.monotonic() + timeout
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout} s")
        time.sleep(0.02)
