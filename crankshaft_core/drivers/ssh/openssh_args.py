"""Command lines for the system's ssh. Pure, but for the directory that its control socket lives in."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from crankshaft_core.drivers.ssh.settings import SSHSettings
from crankshaft_core.drivers.ssh.target import Target, resolve

__all__ = [
    "LONGEST_SOCKET",
    "PIN_ALIAS",
    "common",
    "login_command",
    "login_socket",
    "logout_command",
    "option",
    "quoted",
    "write_pin",
]

PIN_ALIAS = "crankshaft-pinned"
"""The name under which a pinned host key stands in a file of ours."""

LONGEST_SOCKET = 80
"""Characters. A Unix socket's path has at most 104 on some systems, and ssh appends 17 while it makes one."""

LOGIN_PERSISTS = "12h"
"""How long a connection opened by hand stays when nothing uses it."""


def common(settings: SSHSettings, target: Target, *, batch: bool, pin_file: Path | None = None) -> list[str]:
    """`ssh` with what all its calls share. `batch`: nobody is there to be asked. Options end before the host."""
    args = ["ssh"]
    if settings.ssh_config is not None:
        none = settings.ssh_config.lower() == "none"
        args += ["-F", "none" if none else str(Path(settings.ssh_config).expanduser())]
    if settings.username is not None:
        args += ["-l", settings.username]
    if settings.port is not None:
        args += ["-p", str(settings.port)]
    if settings.identity_file is not None:
        # else the agent's keys would go first, and the server hang up before its turn
        args += ["-i", str(Path(settings.identity_file).expanduser()), *option("IdentitiesOnly", "yes")]
    args += option("BatchMode", "yes" if batch else "no")
    args += _known_hosts(settings, pin_file)
    args += option("ConnectTimeout", str(max(1, int(target.connect_timeout))))
    args += option("ServerAliveInterval", str(max(1, int(target.keepalive))))
    for name, value in _FIXED:
        args += option(name, value)
    return args


def option(name: str, value: str) -> list[str]:
    """`-o name=value`."""
    return ["-o", f"{name}={value}"]


def login_socket(target: Target) -> Path:
    """Where `crankshaft login` leaves the connection that runs then use. The same for equal places, on one machine.

    Only a socket that belongs to this user may be trusted; others can write where a long home directory sends it.
    """
    hops = ",".join(f"{hop.user}@{hop.hostname}:{hop.port}" for hop in (*target.jumps, target))
    digest = hashlib.sha256(f"{os.uname().nodename} {hops} {target.proxy_command or ''}".encode()).hexdigest()
    beside_keys = Path.home() / ".ssh" / f"ck-{digest[:12]}"
    if len(str(beside_keys)) <= LONGEST_SOCKET:
        return beside_keys
    return Path(f"/tmp/ck-{os.getuid()}-{digest[:12]}")  # noqa: S108 its owner is looked at before it is used


def login_command(settings: SSHSettings, *, pin_file: Path | None = None) -> list[str]:
    """A command for a terminal that opens the connection by hand and leaves it in the background.

    It may ask for passwords and codes. Runs then find it, in all processes of this user. `pin_file`: the known_hosts
    file of `write_pin`, wanted until the connection stands. Raises ConfigError as `resolve` does.
    """
    target = resolve(settings)
    socket = login_socket(target)
    socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    args = common(settings, target, batch=False, pin_file=pin_file)
    args += option("ControlMaster", "yes") + option("ControlPath", quoted(socket))
    return [*args, *option("ControlPersist", LOGIN_PERSISTS), "-N", "-f", "--", settings.host]


def logout_command(settings: SSHSettings) -> list[str]:
    """A command that ends the connection of `login_command`; it fails where there is none."""
    target = resolve(settings)
    args = common(settings, target, batch=True) + option("ControlPath", quoted(login_socket(target)))
    return [*args, "-O", "exit", "--", settings.host]


def write_pin(settings: SSHSettings, directory: Path) -> Path | None:
    """A known_hosts file with the pinned host key alone; None where none is pinned."""
    pin = settings.host_key
    if pin is None:
        return None
    file = directory / "known_hosts"
    file.write_text(f"{PIN_ALIAS} {pin.type} {pin.base64}\n", encoding="ascii")
    return file


def quoted(path: Path) -> str:
    """A path as an option's value: spaces kept, `%` no token."""
    return '"' + str(path).replace("%", "%%") + '"'


_FIXED: Sequence[tuple[str, str]] = (
    ("ServerAliveCountMax", "3"),
    ("UpdateHostKeys", "no"),
    ("PermitLocalCommand", "no"),
    ("RemoteCommand", "none"),
    ("RequestTTY", "no"),
    ("ClearAllForwardings", "yes"),
    ("ForwardAgent", "no"),
    ("ForwardX11", "no"),
    ("EscapeChar", "none"),
)


def _known_hosts(settings: SSHSettings, pin_file: Path | None) -> list[str]:
    args: list[str] = []
    file = Path(settings.known_hosts).expanduser() if settings.known_hosts is not None else None
    if pin_file is not None:
        args += option("HostKeyAlias", PIN_ALIAS)
        file = pin_file
    if file is not None:
        args += option("UserKnownHostsFile", quoted(file)) + option("GlobalKnownHostsFile", "/dev/null")
    return args + option("StrictHostKeyChecking", "yes")
