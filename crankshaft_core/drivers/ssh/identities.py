"""Which keys are offered to a server, and in which order.

Servers hang up after a few refused keys (`MaxAuthTries`, 6 in sshd), so the keys that were named go first, held by the
agent or not; then what else the agent has; then the default files. Reading the public half needs no passphrase.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from crankshaft_core.drivers.ssh.agent import Agent, AgentKey
from crankshaft_core.drivers.ssh.host_keys import fingerprint
from crankshaft_core.drivers.ssh.settings import HostKey
from crankshaft_core.drivers.ssh.target import Target

__all__ = ["Candidate", "candidates", "candidates_for", "key_file"]

_OPENSSH_BEGIN = "-----BEGIN OPENSSH PRIVATE KEY-----"
_OPENSSH_MAGIC = b"openssh-key-v1\0"


@dataclass(frozen=True, slots=True)
class KeyFile:
    """What can be said of a key file without its passphrase."""

    path: str
    blob: bytes | None
    """The public half, where it can be read."""
    private: bool
    encrypted: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """One key to offer: by the agent if `agent` is given, else from `path`."""

    label: str
    """For messages."""
    agent: AgentKey | None = None
    path: str | None = None
    encrypted: bool = False


def candidates_for(target: Target, agent: Agent | None) -> list[Candidate]:
    """The keys for a target, with what its agent holds."""
    try:
        held = agent.identities() if agent else []
    except OSError:  # it went away
        held = []
    return candidates(
        named=target.identities,
        defaults=target.default_identities,
        agent=held,
        agent_too=not target.identities_only,
    )


def candidates(
    *, named: Sequence[str], defaults: Sequence[str], agent: Sequence[AgentKey], agent_too: bool
) -> list[Candidate]:
    """The keys in the order they are offered. `agent_too`: also those of the agent that no file names."""
    held = {key.blob: key for key in agent}
    offered = list(_of_files(named, held))
    if agent_too:
        offered += [Candidate(_label(key), agent=key) for key in agent]
    offered += _of_files(defaults, held if agent_too else {})
    return list(_once(offered))


def key_file(path: str) -> KeyFile | None:
    """None if there is no such file, or it holds no key. The public half alone will do, if the agent has the other."""
    text = _text_of(path)
    public = _public_line(text) or _public_line(_text_of(path + ".pub"))
    if text.startswith(_OPENSSH_BEGIN):
        inside, encrypted = _openssh_header(text)
        return KeyFile(path, inside or public, private=True, encrypted=encrypted)
    if "PRIVATE KEY-----" in text:
        return KeyFile(path, public, private=True, encrypted="ENCRYPTED" in text)
    return KeyFile(path, public, private=False, encrypted=False) if public else None


def _of_files(paths: Sequence[str], held: dict[bytes, AgentKey]) -> Iterator[Candidate]:
    for path in paths:
        file = key_file(path)
        if file is None:
            continue
        if file.blob in held:
            yield Candidate(f"{path} (agent)", agent=held[file.blob], path=path)
        elif file.private:
            yield Candidate(path, path=path, encrypted=file.encrypted)


def _once(offered: Sequence[Candidate]) -> Iterator[Candidate]:
    seen: set[bytes | str] = set()
    for candidate in offered:
        key = candidate.agent.blob if candidate.agent else candidate.path or ""
        if key not in seen:
            seen.add(key)
            yield candidate


def _label(key: AgentKey) -> str:
    name = key.comment or fingerprint(HostKey("", base64.b64encode(key.blob).decode()))
    return f"{name} (agent)"


def _text_of(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _public_line(text: str) -> bytes | None:
    """The blob of `ssh-ed25519 AAAA… comment`."""
    words = text.split(maxsplit=2)
    if len(words) < 2 or not words[0].startswith(("ssh-", "ecdsa-", "sk-")):
        return None
    try:
        return base64.b64decode(words[1], validate=True)
    except binascii.Error:
        return None


def _openssh_header(text: str) -> tuple[bytes | None, bool]:
    """Public half, and whether the private one is encrypted (PROTOCOL.key of OpenSSH)."""
    body = "".join(text.split("-----")[2].split()) if text.count("-----") >= 4 else ""
    try:
        content = base64.b64decode(body)
    except binascii.Error:
        return None, False
    if not content.startswith(_OPENSSH_MAGIC):
        return None, False
    rest = content[len(_OPENSSH_MAGIC) :]
    cipher, rest = _string(rest)
    _, rest = _string(rest)  # key derivation: its name …
    _, rest = _string(rest)  # … and its options
    blob, _ = _string(rest[4:])  # behind the number of keys, which is 1
    return blob or None, cipher != b"none"


def _string(data: bytes) -> tuple[bytes, bytes]:
    size = int.from_bytes(data[:4], "big")
    return data[4 : 4 + size], data[4 + size :]
