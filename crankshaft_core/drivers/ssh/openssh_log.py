"""What ssh says with `-v` when it gets nowhere, as an error of ours. Pure: captured text in, an exception out."""

from __future__ import annotations

import re
from collections.abc import Sequence

from crankshaft_core.drivers.ssh.host_keys import problem
from crankshaft_core.drivers.ssh.refusal import code_needed, not_let_in
from crankshaft_core.drivers.ssh.target import Target
from crankshaft_core.errors import AuthenticationError, BackendError, TransportError

__all__ = ["failure", "last_words"]

_CLIENT = "openssh"
_NOISE = ("debug", "OpenSSH_", "Authenticated ", "Warning: Permanently", "Transferred:", "Bytes per second:", "@@@")
_CONSEQUENCES = (
    "kex_exchange_identification",
    "banner exchange",
    "Connection closed by UNKNOWN",
    "stdio forwarding failed",
)
"""What the hosts behind a failed hop have to say, after its own reason."""
_OFFERED = re.compile(r"debug1: Offering public key: (.+?) \S+ SHA256:\S+")
_READ = re.compile(r"debug1: Trying private key: (.+)")
_SERVER_KEY = re.compile(r"debug1: Server host key: (\S+) (SHA256:\S+)")
_ACCEPTED = re.compile(r"debug1: Authentications that can continue: (\S+)")
_DENIED = re.compile(r"Permission denied \(([^)]*)\)")
_GREETED = re.compile(r"debug1: Authenticating to (.+):(\d+) as '(.*)'")


def failure(log: str, target: Target) -> BackendError:
    """The error that `log` tells of. AuthenticationError where a person must act, else TransportError."""
    lines = [line.rstrip("\r") for line in log.splitlines()]
    last_login = max((number for number, line in enumerate(lines) if line.startswith("Authenticated ")), default=0)
    lines = lines[last_login:]  # what comes before is of a hop that let us in
    host = _host_at_the_end(lines, target)
    if any("Host key verification failed" in line for line in lines):
        return AuthenticationError(_wrong_key(lines, host))
    denied = next((match for line in lines if (match := _DENIED.search(line))), None)
    if denied is not None:
        return _denied(lines, host, denied[1].split(","))
    if any("Too many authentication failures" in line for line in lines):
        return not_let_in(host, tried=_tried(lines), accepted=_accepted(lines), client=_CLIENT, hung_up=True)
    return TransportError(f"{target.where}: {last_words(log) or 'ssh ended without a word'}")


def last_words(log: str) -> str:
    """The last line that is meant for a person."""
    lines = [line.strip() for line in log.splitlines()]
    told = [line for line in lines if line and not line.startswith(_NOISE)]
    telling = [line for line in told if not line.startswith(_CONSEQUENCES)]
    return (telling or told or [""])[-1]


def _host_at_the_end(lines: Sequence[str], target: Target) -> Target:
    """The host on the way that was spoken to last."""
    greeted = [match for line in lines if (match := _GREETED.match(line))]
    if not greeted:
        return target
    name, port, user = greeted[-1].groups()
    hops = [hop for hop in target.jumps if (hop.hostname, hop.port, hop.user) == (name, int(port), user)]
    return hops[0] if hops else target


def _wrong_key(lines: Sequence[str], host: Target) -> str:
    keys = [match for line in lines if (match := _SERVER_KEY.match(line))]
    told = problem(host.place, keys[-1][1], keys[-1][2]) if keys else None
    return told or f"{host.place.name}: host key not accepted: {last_words(chr(10).join(lines))} Nothing was sent."


def _denied(lines: Sequence[str], target: Target, accepted: Sequence[str]) -> AuthenticationError:
    if any("with partial success" in line for line in lines):
        return code_needed(target, client=_CLIENT, accepted=accepted)
    return not_let_in(target, tried=_tried(lines), accepted=accepted, client=_CLIENT)


def _tried(lines: Sequence[str]) -> list[str]:
    """Keys that were offered. A file that was read counts if the server had a word to say to it."""
    names: list[str] = []
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        offered = _OFFERED.match(line)
        read = _READ.match(line) if _ACCEPTED.match(following) else None
        names += [match[1] for match in (offered, read) if match is not None]
    return list(dict.fromkeys(names))


def _accepted(lines: Sequence[str]) -> list[str]:
    found = [match[1] for line in lines if (match := _ACCEPTED.match(line))]
    return found[-1].split(",") if found else []
