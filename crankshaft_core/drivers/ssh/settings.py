"""What a person may say about a connection, before ssh_config has been asked."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Self

from crankshaft_core.config.generic import Locale
from crankshaft_core.config.secrets import Secret
from crankshaft_core.errors import ConfigError

__all__ = ["HostKey", "SSHSettings", "parse_host_key"]


@dataclass(frozen=True, slots=True)
class HostKey:
    """A server's public key, as in a known_hosts file."""

    type: str
    """`ssh-ed25519`, `ecdsa-sha2-nistp256`, …"""
    base64: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SSHSettings:
    """A place to be reached by SSH. None: what ssh_config says, else the default of ssh(1)."""

    host: str
    """A host name, or a name in ssh_config."""
    port: int | None = None
    username: str | None = None
    client: Literal["paramiko", "openssh"] = "paramiko"
    ssh_config: str | None = None
    """Path of the one file that is read instead of the user's and the system's; "none": no file is read."""
    identity_file: str | None = None
    """Tried before all other keys."""
    passphrase: Secret | None = None
    password: Secret | None = None
    host_key: HostKey | None = None
    """The only key accepted from the host, whatever known_hosts says."""
    known_hosts: str | None = None
    login: bool = False
    """Scripts see what the user's profile sets."""
    timeout: float = 60.0
    """Seconds for building up a connection or opening a channel, where ssh_config has no ConnectTimeout."""
    keepalive: float = 30.0
    """Seconds between signs of life, where ssh_config has no ServerAliveInterval."""
    name: str = ""
    """The backend's, for messages: `crankshaft login NAME`."""

    @classmethod
    def of(cls, locale: Locale, *, name: str = "") -> Self:
        """Those of the `locale` of the backend `name`. Raises ConfigError for what its client cannot do."""
        problems = list(_beyond_openssh(locale)) if locale.client == "openssh" else []
        if not locale.host:
            problems.append('locale: kind = "SSH" needs a host')
        if problems:
            raise ConfigError(problems)
        return cls(
            host=locale.host or "",
            port=locale.port,
            username=locale.username,
            client=locale.client,
            ssh_config=locale.ssh_config,
            identity_file=locale.identity_file,
            passphrase=locale.passphrase,
            password=locale.password,
            host_key=parse_host_key(locale.host_key) if locale.host_key is not None else None,
            known_hosts=locale.known_hosts,
            login=locale.login,
            timeout=locale.timeout,
            keepalive=locale.keepalive,
            name=name,
        )


def parse_host_key(text: str) -> HostKey:
    """The key in "ssh-ed25519 AAAA… comment", or in a line of known_hosts. Raises ConfigError."""
    words = text.split()
    for type_, blob in pairwise(words):
        if _names_itself(type_, blob):
            return HostKey(type_, blob)
    raise ConfigError(
        f"host_key: {text!r} is not a public key; write its type and its base64 text, as "
        "`ssh-keyscan HOST` prints them (ssh-ed25519 AAAA…)"
    )


def _names_itself(type_: str, blob: str) -> bool:
    """A key's blob begins with its type, as a string with a length (RFC 4253, 6.6)."""
    try:
        content = base64.b64decode(blob, validate=True)
    except (binascii.Error, ValueError):
        return False
    name = type_.encode()
    return content.startswith(len(name).to_bytes(4, "big") + name)


def _beyond_openssh(locale: Locale) -> list[str]:
    problems: list[str] = []
    if locale.password is not None:
        problems.append(
            'locale: a password cannot be handed to client = "openssh"; use client = "paramiko", or a key, '
            "or open the connection yourself with `crankshaft login`"
        )
    if locale.passphrase is not None:
        problems.append(
            'locale: a passphrase cannot be handed to client = "openssh"; use client = "paramiko", or `ssh-add` the key'
        )
    return problems
