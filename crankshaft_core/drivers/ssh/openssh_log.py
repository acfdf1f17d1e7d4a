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
_OFFERED = re.compile(r"debug1: (?:Offering public key|Trying private key): (.+?)(?: \S+ SHA256:\S+.*)?$")
_SERVER_KEY = re.compile(r"debug1: Server host key: (\S+) (SHA256:\S+)")
_ACCEPTED = re.compile(r"debug1: Authentications that can continue: (\S+)")
_DENIED = re.compile(r"(\S+)@(\S+): Permission denied \(([^)]*)\)")
_STRICT = re.compile(r"ost key (?:is known )?for (\S+) (?:has changed )?and you have requested strict checking")


def failure(log: str, target: Target) -> BackendError:
    """The error that `log` tells of. AuthenticationError where a person must act, else TransportError."""
    lines = [line.rstrip("\r") for line in log.splitlines()]
    last_login = max((number for number, line in enumerate(lines) if line.startswith("Authenticated ")), default=0)
    lines = lines[last_login:]  # what comes before is of a hop that let us in
    if any("Host key verification failed" in line for line in lines):
        return AuthenticationError(_wrong_key(lines, target))
    denied = next((match for line in lines if (match := _DENIED.search(line))), None)
    if denied is not None:
        return _denied(lines, _host_of(denied[1], denied[2], target), denied[3].split(","))
    if any("Too many authentication failures" in line for line in lines):
        return not_let_in(target, tried=_tried(lines), accepted=_accepted(lines), client=_CLIENT, hung_up=True)
    return TransportError(f"{target.where}: {last_words(log) or 'ssh ended without a word'}")


def last_words(log: str) -> str:
    """The last line that is meant for a person."""
    lines = [line.strip() for line in log.splitlines()]
    told = [line for line in lines if line and not line.startswith(_NOISE)]
    # a failed hop ends with "Connection closed by UNKNOWN port 65535"; its reason is in front of that
    telling = [
        line for line in told if "UNKNOWN port" not in line and not line.startswith("kex_exchange_identification")
    ]
    return (telling or told or [""])[-1]


def _wrong_key(lines: Sequence[str], target: Target) -> str:
    keys = [match for line in lines if (match := _SERVER_KEY.match(line))]
    named = next((match[1] for line in lines if (match := _STRICT.search(line))), "")
    host = next((hop for hop in target.jumps if hop.place.entry == named), target)
    told = problem(host.place, keys[-1][1], keys[-1][2]) if keys else None
    return told or f"{host.place.name}: host key not accepted: {last_words(chr(10).join(lines))} Nothing was sent."


def _denied(lines: Sequence[str], target: Target, accepted: Sequence[str]) -> AuthenticationError:
    if any("with partial success" in line for line in lines):
        return code_needed(target, client=_CLIENT, accepted=accepted)
    return not_let_in(target, tried=_tried(lines), accepted=accepted, client=_CLIENT)


def _host_of(user: str, hostname: str, target: Target) -> Target:
    """Which of the hosts on the way said no."""
    return next((hop for hop in target.jumps if (hop.user, hop.hostname) == (user, hostname)), target)


def _tried(lines: Sequence[str]) -> list[str]:
    """Keys that were offered, and key files that could be read and were not accepted either."""
    offered = [match[1] for line in lines if (match := _OFFERED.match(line))]
    return list(dict.fromkeys(name for name in offered if not _missing(name, lines)))


def _missing(name: str, lines: Sequence[str]) -> bool:
    return any(line.startswith("debug1: ") and "No such file" in line and name in line for line in lines)


def _accepted(lines: Sequence[str]) -> list[str]:
    found = [match[1] for line in lines if (match := _ACCEPTED.match(line))]
    return found[-1].split(",") if found else []
