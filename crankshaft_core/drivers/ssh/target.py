"""The place a connection really goes to: settings and ssh_config put together, and the hops on the way."""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from crankshaft_core.config.secrets import Secret
from crankshaft_core.drivers.ssh import ssh_config
from crankshaft_core.drivers.ssh.host_keys import SSH_PORT, Place
from crankshaft_core.drivers.ssh.settings import SSHSettings
from crankshaft_core.errors import ConfigError

__all__ = ["Target", "resolve"]

MOST_HOPS = 8
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_JUMP = re.compile(r"(?:ssh://)?(?:(?P<user>[^@]+)@)?(?P<host>\[[^\]]+\]|[^:/]+)(?::(?P<port>\d+))?/?")
_DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa", "id_ed25519_sk", "id_ecdsa_sk")
_GLOBAL_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Everything a client needs to know of one host. Backends with equal targets share a connection."""

    host: str
    """As a person wrote it."""
    hostname: str
    port: int
    user: str
    place: Place
    """For the check of its host key."""
    identities: tuple[str, ...]
    """Key files that were named, in their order."""
    default_identities: tuple[str, ...]
    """Key files that ssh tries where none is named."""
    identities_only: bool
    agent: str | None
    """The agent's socket."""
    passphrase: Secret | None
    password: Secret | None
    jumps: tuple[Target, ...]
    """Hops on the way, the nearest first."""
    proxy_command: str | None
    connect_timeout: float = field(compare=False)
    """Seconds for all of: reaching the host, checking its key, being let in."""
    keepalive: float = field(compare=False)
    """Seconds."""
    name: str = field(default="", compare=False)
    """The backend's, for messages."""

    @property
    def where(self) -> str:
        """For messages: hpc@login.uni.edu."""
        return f"{self.user}@{self.host}"

    @property
    def files(self) -> tuple[str, ...]:
        """The files that being let in depends on, those of the hops too."""
        own = (*self.identities, *self.default_identities, *self.place.files)
        return (*own, *(file for hop in self.jumps for file in hop.files))


def resolve(settings: SSHSettings) -> Target:
    """What `settings` and ssh_config come to. Raises ConfigError."""
    return replace(
        _target(settings, depth=0), passphrase=settings.passphrase, password=settings.password, name=settings.name
    )


def _target(settings: SSHSettings, *, depth: int) -> Target:
    if depth > MOST_HOPS:
        raise ConfigError(f"ssh_config: ProxyJump leads through more than {MOST_HOPS} hosts ({settings.host})")
    home = Path.home()
    options = ssh_config.lookup(
        settings.host, user=settings.username, port=settings.port, file=settings.ssh_config, home=home
    )
    tokens = _tokens(settings.host, options, home)
    identities = _identities(settings, options, tokens, home)
    return Target(
        host=settings.host,
        hostname=tokens["h"],
        port=_number(options, "port", SSH_PORT),
        user=tokens["r"],
        place=_place(settings, options, tokens, home),
        identities=identities,
        default_identities=() if identities else tuple(str(home / ".ssh" / name) for name in _DEFAULT_KEYS),
        identities_only=_first(options, "identitiesonly", "no").lower() in {"yes", "true"},
        agent=_agent(options, tokens, home),
        passphrase=None,
        password=None,
        jumps=_jumps(settings, options, tokens, depth),
        proxy_command=_proxy_command(options, tokens),
        connect_timeout=_seconds(options, "connecttimeout") or settings.timeout,
        keepalive=_seconds(options, "serveraliveinterval") or settings.keepalive,
    )


def _tokens(host: str, options: ssh_config.Options, home: Path) -> Mapping[str, str]:
    """The meanings of `%x` (ssh_config(5), TOKENS)."""
    local = os.uname().nodename
    hostname = ssh_config.expand(_first(options, "hostname", host), {"h": host})
    return {
        "h": hostname.lower(),
        "n": host,
        "p": str(_number(options, "port", SSH_PORT)),
        "r": _first(options, "user", getpass.getuser()),
        "u": getpass.getuser(),
        "d": str(home),
        "i": str(os.getuid()),
        "k": _first(options, "hostkeyalias", host),
        "j": _first(options, "proxyjump", ""),
        "l": local,
        "L": local.split(".")[0],
    }


def _identities(
    settings: SSHSettings, options: ssh_config.Options, tokens: Mapping[str, str], home: Path
) -> tuple[str, ...]:
    given = [str(Path(settings.identity_file).expanduser())] if settings.identity_file else []
    named = [file for file in options.get("identityfile", ()) if file.lower() != "none"]
    return tuple(dict.fromkeys([*given, *(ssh_config.expand_path(file, tokens, home) for file in named)]))


def _place(settings: SSHSettings, options: ssh_config.Options, tokens: Mapping[str, str], home: Path) -> Place:
    alias = _first(options, "hostkeyalias", "")
    user_files = options.get("userknownhostsfile", ("~/.ssh/known_hosts", "~/.ssh/known_hosts2"))
    named = [*user_files, *options.get("globalknownhostsfile", _GLOBAL_KNOWN_HOSTS)]
    files = [ssh_config.expand_path(file, tokens, home) for file in named if file.lower() != "none"]
    given = [str(Path(settings.known_hosts).expanduser())] if settings.known_hosts else []
    return Place(
        name=alias or tokens["h"],
        port=SSH_PORT if alias else int(tokens["p"]),
        files=tuple(given or files),
        pin=settings.host_key,
    )


def _agent(options: ssh_config.Options, tokens: Mapping[str, str], home: Path) -> str | None:
    """IdentityAgent: a path, `none`, `SSH_AUTH_SOCK`, or `$VARIABLE`."""
    named = _first(options, "identityagent", "SSH_AUTH_SOCK")
    if named.lower() == "none":
        return None
    if named == "SSH_AUTH_SOCK" or (named.startswith("$") and not named.startswith("${")):
        return os.environ.get(named.removeprefix("$"))
    return ssh_config.expand_path(named, tokens, home)


def _proxy_command(options: ssh_config.Options, tokens: Mapping[str, str]) -> str | None:
    """The command, unless ProxyJump came first in the files."""
    names = [name for name in options if name in {"proxyjump", "proxycommand"}]
    if not names or names[0] != "proxycommand" or _first(options, "proxycommand", "none").lower() == "none":
        return None
    return ssh_config.expand(options["proxycommand"][0], {name: tokens[name] for name in "hnpr"})


def _jumps(
    settings: SSHSettings, options: ssh_config.Options, tokens: Mapping[str, str], depth: int
) -> tuple[Target, ...]:
    names = [name for name in options if name in {"proxyjump", "proxycommand"}]
    if not names or names[0] != "proxyjump" or _first(options, "proxyjump", "none").lower() == "none":
        return ()
    written = ssh_config.expand(options["proxyjump"][0], {name: tokens[name] for name in "hnpr"})
    hops = [_target(_hop(settings, text), depth=depth + 1) for text in written.split(",")]
    # as with `ssh -J a,b`: a is reached as its own ssh_config says, b from a whatever it says
    return (
        *hops[0].jumps,
        replace(hops[0], jumps=()),
        *(replace(hop, jumps=(), proxy_command=None) for hop in hops[1:]),
    )


def _hop(settings: SSHSettings, text: str) -> SSHSettings:
    """A host on the way. Keys and pins given for the last host are not for it, as with ssh."""
    match = _JUMP.fullmatch(text.strip())
    if match is None:
        raise ConfigError(f"ssh_config: ProxyJump {text!r} is not [user@]host[:port]")
    return SSHSettings(
        host=match["host"].strip("[]"),
        port=int(match["port"]) if match["port"] else None,
        username=match["user"],
        client=settings.client,
        ssh_config=settings.ssh_config,
        known_hosts=settings.known_hosts,
        timeout=settings.timeout,
        keepalive=settings.keepalive,
    )


def _first(options: Mapping[str, Sequence[str]], name: str, default: str) -> str:
    values = options.get(name)
    return values[0] if values else default


def _seconds(options: ssh_config.Options, name: str) -> float:
    """A time as in sshd_config(5), TIME FORMATS: 90, 10m, 1h30m; 0 where there is none."""
    text = _first(options, name, "0").lower()
    if text == "none":
        return 0.0
    if not re.fullmatch(r"(\d+[smhdw]?)+", text):
        raise ConfigError(f"ssh_config: {name} {text!r} is not a time")
    return float(sum(int(count) * _UNITS[unit] for count, unit in re.findall(r"(\d+)([smhdw]?)", text)))


def _number(options: ssh_config.Options, name: str, default: int) -> int:
    text = _first(options, name, str(default))
    if not text.isdecimal():
        raise ConfigError(f"ssh_config: {name} {text!r} is not a whole number")
    return int(text)
