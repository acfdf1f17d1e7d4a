"""Has anything changed since a server refused us? If not, asking again would only bring an account nearer to a lock."""

from __future__ import annotations

import os
from collections.abc import Hashable
from pathlib import Path

from crankshaft_core.drivers.ssh.agent import Agent
from crankshaft_core.drivers.ssh.openssh_args import login_socket
from crankshaft_core.drivers.ssh.target import Target

__all__ = ["stamp"]


def stamp(target: Target) -> Hashable:
    """Equal as long as key files, known hosts, the agent's keys, tickets and opened logins stay as they are."""
    files = (*target.files, str(login_socket(target)), _ticket_cache())
    return (tuple(_state(file) for file in files), _agent_keys(target.agent))


def _state(file: str) -> Hashable:
    try:
        found = Path(file).stat()
    except OSError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns)


def _agent_keys(path: str | None) -> Hashable:
    if path is None:
        return None
    try:
        with Agent(path) as agent:
            return tuple(key.blob for key in agent.identities())
    except OSError:
        return None


def _ticket_cache() -> str:
    """Kerberos: a file, unless KRB5CCNAME names another kind of store."""
    return os.environ.get("KRB5CCNAME", f"/tmp/krb5cc_{os.getuid()}").removeprefix("FILE:")  # noqa: S108 Kerberos' own default
