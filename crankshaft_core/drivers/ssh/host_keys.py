"""Is this the host's key? Reading known_hosts (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT), and what to say if it is not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from crankshaft_core.drivers.ssh.patterns import matches
from crankshaft_core.drivers.ssh.settings import HostKey

__all__ = ["Place", "fingerprint", "known_types", "problem"]

SSH_PORT = 22


@dataclass(frozen=True, slots=True)
class Place:
    """A server as known_hosts names it, and where its keys are looked for."""

    name: str
    port: int
    files: tuple[str, ...]
    pin: HostKey | None = None

    @property
    def entry(self) -> str:
        """The name of its entry: a port other than 22 is part of it."""
        return self.name if self.port == SSH_PORT else f"[{self.name}]:{self.port}"


def fingerprint(key: HostKey) -> str:
    """As `ssh-keygen -l` prints it."""
    digest = hashlib.sha256(base64.b64decode(key.base64)).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def known_types(place: Place) -> tuple[str, ...]:
    """The types of the keys that are known for `place`, to be asked of the server."""
    known = _known(place, place.entry).accepted or _known(place, place.name).accepted
    return tuple(dict.fromkeys(key.type for key in known))


def problem(place: Place, type_: str, offered: str) -> str | None:
    """None if the key with this type and fingerprint is the right one; else the message for a person."""
    known = _known(place, place.entry)
    if offered in map(fingerprint, known.revoked):
        return (
            f"{place.name}: host key {offered} is marked as revoked in {known.file}. Ask the admin. Nothing was sent."
        )
    if offered in map(fingerprint, known.accepted):
        return None
    if known.accepted:
        return _changed(place, known, type_, offered)
    # as in ssh, a key that is listed without the port counts for any port
    if offered in map(fingerprint, _known(place, place.name).accepted):
        return None
    return _unknown(place, known, type_, offered)


@dataclass(frozen=True, slots=True)
class _Known:
    accepted: tuple[HostKey, ...] = ()
    revoked: tuple[HostKey, ...] = ()
    authority: bool = False
    file: str = ""


@dataclass(frozen=True, slots=True)
class _Entry:
    marker: str
    names: str
    key: HostKey
    file: str


def _known(place: Place, name: str) -> _Known:
    """What the files say of `name`, or the pin alone."""
    if place.pin is not None:
        return _Known((place.pin,))
    found = [entry for file in place.files for entry in _entries(file) if _matches(entry.names, name)]
    return _Known(
        accepted=tuple(entry.key for entry in found if entry.marker == ""),
        revoked=tuple(entry.key for entry in found if entry.marker == "@revoked"),
        authority=any(entry.marker == "@cert-authority" for entry in found),
        file=found[0].file if found else "",
    )


def _changed(place: Place, known: _Known, type_: str, offered: str) -> str:
    was = " or ".join(_of_type(known.accepted, type_))
    if place.pin is not None:
        fix = "correct host_key"
    else:
        fix = shlex.join(["ssh-keygen", "-R", place.entry, *_file_option(known.file)])
    return f"{place.name}: host key CHANGED (was {was}, now {offered}). Ask the admin; then {fix}. Nothing was sent."


def _unknown(place: Place, known: _Known, type_: str, offered: str) -> str:
    if known.authority:
        return (
            f"{place.name}: host key {type_} {offered} is not listed; {known.file} names an authority, which only "
            'client = "openssh" can ask. Nothing was sent.'
        )
    port = [] if place.port == SSH_PORT else ["-p", str(place.port)]
    kind = {"ssh-ed25519": "ed25519", "ssh-rsa": "rsa"}.get(type_, "ecdsa")
    scan = shlex.join(["ssh-keyscan", "-t", kind, *port, place.name])
    file = shlex.quote(place.files[0] if place.files else _default_file())
    return (
        f"{place.name}: host key not known: {type_} {offered}. Compare it with what the site publishes "
        f"(see it again: {scan} | ssh-keygen -lf -); if it is right: {scan} >> {file}. Nothing was sent."
    )


def _of_type(keys: Sequence[HostKey], type_: str) -> list[str]:
    same = [fingerprint(key) for key in keys if key.type == type_]
    return same or [fingerprint(key) for key in keys]


def _file_option(file: str) -> list[str]:
    return [] if file == _default_file() else ["-f", file]


def _default_file() -> str:
    return str(Path.home() / ".ssh/known_hosts")


def _entries(file: str) -> Iterator[_Entry]:
    try:
        lines = Path(file).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return  # as for ssh: a file that is not there knows no hosts
    for line in lines:
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        marker = words.pop(0) if words[0].startswith("@") else ""
        if len(words) >= 3 and _is_base64(words[2]):
            yield _Entry(marker, words[0], HostKey(words[1], words[2]), file)


def _is_base64(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", text) is not None and len(text) % 4 == 0


def _matches(names: str, name: str) -> bool:
    return _hash_matches(names, name) if names.startswith("|1|") else matches(name, names.split(","))


def _hash_matches(hashed: str, name: str) -> bool:
    """`|1|salt|HMAC-SHA1(salt, name)`, both in base64."""
    salt, _, digest = hashed.removeprefix("|1|").partition("|")
    if not (_is_base64(salt) and _is_base64(digest)):
        return False
    made = hmac.new(base64.b64decode(salt), name.lower().encode(), hashlib.sha1).digest()
    return hmac.compare_digest(made, base64.b64decode(digest))
