"""Host keys: what known_hosts says, and what a person is told."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

import pytest

from crankshaft_core.drivers.ssh.host_keys import Place, fingerprint, known_types, problem
from crankshaft_core.drivers.ssh.settings import HostKey


def key(type_: str, seed: str) -> HostKey:
    blob = len(type_).to_bytes(4, "big") + type_.encode() + hashlib.sha256(seed.encode()).digest()
    return HostKey(type_, base64.b64encode(blob).decode())


RIGHT = key("ssh-ed25519", "right")
OTHER = key("ssh-ed25519", "other")
RSA = key("ssh-rsa", "rsa")


def line(names: str, which: HostKey = RIGHT) -> str:
    return f"{names} {which.type} {which.base64} a comment\n"


def hashed(name: str) -> str:
    salt = b"s" * 20
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


@pytest.fixture
def known_hosts(tmp_path: Path) -> Path:
    return tmp_path / "known_hosts"


def told(
    known_hosts: Path, text: str, *, name: str = "login.uni.edu", port: int = 22, pin: HostKey | None = None
) -> str:
    """What is said to RIGHT; empty if nothing."""
    known_hosts.write_text(text)
    return problem(Place(name, port, (str(known_hosts),), pin), RIGHT.type, fingerprint(RIGHT)) or ""


@pytest.mark.parametrize(
    "names",
    [
        "login.uni.edu",
        "LOGIN.uni.edu",
        "other,login.uni.edu,10.0.0.1",
        "*.uni.edu",
        "login.uni.ed?",
        "*.edu,!*.mit.edu",
        hashed("login.uni.edu"),
    ],
)
def test_a_listed_key_is_right(known_hosts: Path, names: str) -> None:
    assert told(known_hosts, "# comment\n\n" + line("x", OTHER) + line(names)) == ""


@pytest.mark.parametrize(
    "names",
    ["login.uni.edu.evil.org", "*.org", "*.edu,!login.uni.edu", hashed("other.uni.edu"), "[login.uni.edu]:2222"],
)
def test_a_key_of_another_host_does_not_count(known_hosts: Path, names: str) -> None:
    assert "host key not known" in told(known_hosts, line(names))


@pytest.mark.parametrize("names", ["[login.uni.edu]:2222", "login.uni.edu", hashed("[login.uni.edu]:2222")])
def test_behind_another_port_an_entry_with_or_without_it_counts(known_hosts: Path, names: str) -> None:
    assert told(known_hosts, line(names), port=2222) == ""


def test_a_host_behind_another_port_is_another_host(known_hosts: Path) -> None:
    assert "host key not known" in told(known_hosts, line("login.uni.edu", OTHER), port=2222)


def test_one_of_several_keys_will_do(known_hosts: Path) -> None:
    assert told(known_hosts, line("login.uni.edu", OTHER) + line("login.uni.edu", RSA) + line("login.uni.edu")) == ""


def test_a_changed_key_is_shown_with_the_old_one_and_the_line_to_type(known_hosts: Path) -> None:
    assert told(known_hosts, line("login.uni.edu", OTHER)) == (
        f"login.uni.edu: host key CHANGED (was {fingerprint(OTHER)}, now {fingerprint(RIGHT)}). Ask the admin; then "
        f"ssh-keygen -R login.uni.edu -f {known_hosts}. Nothing was sent."
    )


def test_the_users_own_file_need_not_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()

    assert "then ssh-keygen -R login.uni.edu. Nothing" in told(
        tmp_path / ".ssh" / "known_hosts", line("login.uni.edu", OTHER)
    )


def test_of_several_old_keys_the_one_of_the_same_type_is_shown(known_hosts: Path) -> None:
    said = told(known_hosts, line("login.uni.edu", RSA) + line("login.uni.edu", OTHER))

    assert f"was {fingerprint(OTHER)}, now" in said


def test_a_revoked_key_is_refused_though_it_is_listed(known_hosts: Path) -> None:
    assert "revoked" in told(known_hosts, line("login.uni.edu") + "@revoked " + line("*"))


def test_an_authority_is_said_to_be_for_the_other_client(known_hosts: Path) -> None:
    assert 'client = "openssh"' in told(known_hosts, "@cert-authority " + line("*.uni.edu", OTHER))


def test_a_pinned_key_is_right_whatever_the_file_says(known_hosts: Path) -> None:
    assert told(known_hosts, line("login.uni.edu", OTHER), pin=RIGHT) == ""


def test_no_other_key_than_the_pinned_one_is_right(known_hosts: Path) -> None:
    assert "then correct host_key" in told(known_hosts, line("login.uni.edu"), pin=OTHER)


def test_lines_that_are_no_entries_are_passed_over(known_hosts: Path) -> None:
    assert (
        told(known_hosts, "login.uni.edu\nlogin.uni.edu ssh-ed25519 !!!\nlogin.uni.edu 1024 35 123\n" + line("*")) == ""
    )


def test_a_file_that_is_not_there_knows_no_host() -> None:
    place = Place("login.uni.edu", 22, ("/no/such/file",))

    assert "host key not known" in (problem(place, RIGHT.type, fingerprint(RIGHT)) or "")


def test_the_types_of_known_keys_are_asked_for(known_hosts: Path) -> None:
    known_hosts.write_text(line("login.uni.edu", RSA) + line("login.uni.edu") + line("other", key("ecdsa", "x")))

    assert known_types(Place("login.uni.edu", 22, (str(known_hosts),))) == ("ssh-rsa", "ssh-ed25519")


def test_with_a_pin_its_type_is_asked_for(known_hosts: Path) -> None:
    known_hosts.write_text(line("login.uni.edu"))

    assert known_types(Place("login.uni.edu", 22, (str(known_hosts),), RSA)) == ("ssh-rsa",)
