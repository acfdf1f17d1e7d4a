"""What to say when a server does not let us in: what was tried, what it takes, and what a person can do."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from crankshaft_core.drivers.ssh.identities import key_file
from crankshaft_core.drivers.ssh.target import Target
from crankshaft_core.errors import AuthenticationError

__all__ = ["code_needed", "not_let_in"]

_ASKING = frozenset({"keyboard-interactive", "password", "gssapi-with-mic"})
"""Methods that need a person, a password or a ticket."""


def not_let_in(
    target: Target, *, tried: Sequence[str], accepted: Sequence[str], client: str, hung_up: bool = False
) -> AuthenticationError:
    """No key was accepted. `tried`: labels; `accepted`: methods the server named; `hung_up`: it cut the list short."""
    if accepted and "publickey" not in accepted:
        return code_needed(target, client=client, accepted=accepted)
    parts = [f"{target.where}: not let in."]
    parts.append(f"Tried {_counted(tried)}: {', '.join(tried)}." if tried else "No key was found to try.")
    if hung_up:
        parts.append("The server hung up after these: too many; name the right one with identity_file.")
    if accepted:
        parts.append(f"The server takes: {', '.join(accepted)}.")
    parts += [f"{path} is encrypted: ssh-add {shlex.quote(path)}." for path in _locked(target)]
    parts.append(_advice(target, tried))
    if _ASKING.intersection(accepted) and client != "openssh":
        parts.append('Where it asks for a password, a code or a ticket: client = "openssh" and crankshaft login.')
    return AuthenticationError(" ".join(parts))


def code_needed(target: Target, *, client: str, accepted: Sequence[str]) -> AuthenticationError:
    """The server wants an answer from a person, which no run can give."""
    who = target.name or target.where
    login = f"crankshaft login {shlex.quote(target.name)}" if target.name else "crankshaft login BACKEND"
    what = "password" if "password" in accepted and "keyboard-interactive" not in accepted else "one-time code"
    if client == "openssh":
        return AuthenticationError(f"{who}: {what} needed. In another terminal: {login}")
    return AuthenticationError(
        f'{who}: {what} needed, which client = "paramiko" cannot ask for. Set client = "openssh"; then in another '
        f"terminal: {login}"
    )


def _counted(tried: Sequence[str]) -> str:
    return "1 key" if len(tried) == 1 else f"{len(tried)} keys"


def _locked(target: Target) -> list[str]:
    """Named keys that cannot be used without a passphrase."""
    if target.passphrase is not None:
        return []
    files = [key_file(path) for path in (*target.identities, *target.default_identities)]
    return [file.path for file in files if file is not None and file.encrypted]


def _advice(target: Target, tried: Sequence[str]) -> str:
    if not tried:
        return "Name a key with identity_file, or add it to the agent with ssh-add."
    port = "" if target.port == 22 else f"-p {target.port} "
    return f"Name the right key with identity_file, or have it accepted: ssh-copy-id {port}{target.user}@{target.host}"
