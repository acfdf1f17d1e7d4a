"""Settings and ssh_config put together."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest

from crankshaft_core.config.generic import Locale
from crankshaft_core.config.secrets import Secret
from crankshaft_core.drivers.ssh import SSHSettings
from crankshaft_core.drivers.ssh.openssh_args import common, login_command, login_socket
from crankshaft_core.drivers.ssh.settings import parse_host_key
from crankshaft_core.drivers.ssh.target import Target, resolve
from crankshaft_core.errors import ConfigError

PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SSH_AUTH_SOCK", "/agent")
    (tmp_path / ".ssh").mkdir()
    return tmp_path


def target(config: str, home: Path, **settings: object) -> Target:
    (home / ".ssh" / "config").write_text(config)
    return resolve(SSHSettings(**{"host": "login", **settings}))  # type: ignore[arg-type]


def test_without_any_configuration_the_defaults_of_ssh_hold(home: Path) -> None:
    found = target("", home)

    assert (found.hostname, found.port, found.user) == ("login", 22, getpass.getuser())
    assert found.identities == ()
    assert found.default_identities[0] == f"{home}/.ssh/id_ed25519"
    assert found.place.files[0] == f"{home}/.ssh/known_hosts"
    assert (found.agent, found.jumps, found.proxy_command) == ("/agent", (), None)
    assert (found.connect_timeout, found.keepalive) == (60.0, 30.0)


def test_settings_outrank_ssh_config(home: Path) -> None:
    found = target(
        "Host login\n HostName l.org\n User file\n Port 1\n IdentityFile ~/a\n",
        home,
        username="me",
        port=2,
        identity_file="~/b",
    )

    assert (found.hostname, found.port, found.user, found.where) == ("l.org", 2, "me", "me@login")
    assert found.identities == (f"{home}/b", f"{home}/a")
    assert found.default_identities == ()


def test_tokens_and_variables_are_filled_in(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", "/w")
    found = target(
        "Host login\n User me\n HostName %h.org\n IdentityFile ~/%r@%h\n UserKnownHostsFile ${WHERE}/%n\n", home
    )

    assert found.identities == (f"{home}/me@login.org",)
    assert found.place.files[0] == "/w/login"


def test_a_host_key_alias_is_looked_up_without_a_port(home: Path) -> None:
    assert target("Host login\n HostKeyAlias cluster\n Port 2222\n", home).place.entry == "cluster"


@pytest.mark.parametrize(
    ("line", "expected"),
    [("none", None), ("SSH_AUTH_SOCK", "/agent"), ("$MINE", "/mine"), ("~/agent.sock", "HOME/agent.sock")],
)
def test_the_agent_may_be_another(home: Path, monkeypatch: pytest.MonkeyPatch, line: str, expected: str | None) -> None:
    monkeypatch.setenv("MINE", "/mine")

    found = target(f"IdentityAgent {line}\n", home).agent

    assert found == (expected.replace("HOME", str(home)) if expected else None)


@pytest.mark.parametrize(("text", "seconds"), [("7", 7.0), ("2m", 120.0), ("1h30m", 5400.0), ("none", 60.0)])
def test_times_are_read_as_ssh_reads_them(home: Path, text: str, seconds: float) -> None:
    assert target(f"ConnectTimeout {text}\n", home).connect_timeout == seconds


def test_a_chain_of_jumps_keeps_its_order(home: Path) -> None:
    found = target(
        "Host login\n ProxyJump a@first:2200,second\nHost second\n User b\n HostName second.org\n ProxyJump other\n",
        home,
    )

    assert [(hop.user, hop.hostname, hop.port) for hop in found.jumps] == [
        ("a", "first", 2200),
        ("b", "second.org", 22),
    ]
    assert all(hop.jumps == () for hop in found.jumps)


def test_the_way_to_the_first_hop_is_its_own(home: Path) -> None:
    found = target(
        "Host login\n ProxyJump inner\nHost inner\n ProxyJump outer\nHost outer\n ProxyCommand nc %h %p\n", home
    )

    assert [hop.host for hop in found.jumps] == ["outer", "inner"]
    assert found.jumps[0].proxy_command == "nc outer 22"


def test_keys_and_pins_of_the_host_are_not_for_the_hops(home: Path) -> None:
    found = target("Host login\n ProxyJump gate\n", home, identity_file="/k", host_key=parse_host_key(PUBLIC))

    assert (found.jumps[0].identities, found.jumps[0].place.pin) == ((), None)


def test_jumps_in_a_circle_are_an_error(home: Path) -> None:
    with pytest.raises(ConfigError, match="more than 8 hosts"):
        target("Host login\n ProxyJump gate\nHost gate\n ProxyJump login\n", home)


@pytest.mark.parametrize(
    ("config", "command", "jumps"),
    [
        ("ProxyCommand one %h\nHost login\n ProxyJump gate\n", "one login", 0),
        ("Host login\n ProxyJump gate\nHost *\n ProxyCommand one\n", None, 1),
        ("Host login\n ProxyCommand none\nHost *\n ProxyJump gate\n", None, 0),
        ("Host login\n ProxyJump none\n", None, 0),
    ],
)
def test_of_proxy_command_and_proxy_jump_the_first_counts(
    home: Path, config: str, command: str | None, jumps: int
) -> None:
    found = target(config + "Host gate\n ProxyJump none\n", home)

    assert (found.proxy_command, len(found.jumps)) == (command, jumps)


@pytest.mark.parametrize("line", ["Port x", "ConnectTimeout soon", "ProxyJump a:b:c", "IdentityFile %z"])
def test_what_cannot_be_read_is_a_configuration_error(home: Path, line: str) -> None:
    with pytest.raises(ConfigError, match="ssh_config"):
        target(f"{line}\n", home)


def test_equal_places_are_equal_whatever_their_backends_are_called(home: Path) -> None:
    assert target("", home, name="a") == target("", home, name="b")


def test_a_locale_becomes_settings() -> None:
    locale = Locale(
        kind="SSH", host="h", port=2, username="u", identity_file="/k", host_key=PUBLIC + " me@here", login=True,
        timeout=5, keepalive=6, password=Secret("p"),
    )  # fmt: skip

    settings = SSHSettings.of(locale, name="hpc")

    assert settings == SSHSettings(
        host="h", port=2, username="u", identity_file="/k", host_key=parse_host_key(PUBLIC), login=True, timeout=5,
        keepalive=6, password=Secret("p"), name="hpc",
    )  # fmt: skip


def test_secrets_are_not_for_the_systems_ssh() -> None:
    locale = Locale(kind="SSH", host="h", client="openssh", password=Secret("p"), passphrase=Secret("q"))

    with pytest.raises(ConfigError) as caught:
        SSHSettings.of(locale)

    assert ["password" in caught.value.problems[0], "ssh-add" in caught.value.problems[1]] == [True, True]


@pytest.mark.parametrize("text", ["", "ssh-ed25519", "ssh-ed25519 hello", "SHA256:abc", "ssh-rsa " + PUBLIC.split()[1]])
def test_a_pin_that_is_no_key_is_an_error(text: str) -> None:
    with pytest.raises(ConfigError, match="ssh-keyscan"):
        parse_host_key(text)


@pytest.mark.parametrize("text", [PUBLIC, f"login.uni.edu {PUBLIC}", f"{PUBLIC} comment"])
def test_a_pin_may_be_written_as_ssh_keyscan_prints_it(text: str) -> None:
    assert parse_host_key(text).base64 == PUBLIC.split()[1]


def test_no_secret_shows_in_settings_and_targets(home: Path) -> None:
    found = target("", home, password=Secret("hunter2"), passphrase=Secret("hunter3"))

    assert "hunter" not in repr(found)


def test_ssh_is_told_what_was_given_and_no_more(home: Path) -> None:
    settings = SSHSettings(host="login", username="me", port=7, identity_file="~/k y", client="openssh")
    args = common(settings, resolve(settings), batch=True)

    assert args[:8] == ["ssh", "-l", "me", "-p", "7", "-i", f"{home}/k y", "-o"]
    assert {"IdentitiesOnly=yes", "BatchMode=yes", "StrictHostKeyChecking=yes"} <= set(args)


def test_the_login_by_hand_may_ask(home: Path) -> None:
    command = login_command(SSHSettings(host="login", client="openssh"))

    assert {"BatchMode=no", "ControlMaster=yes", "ControlPersist=12h"} <= set(command)
    assert command[-2:] == ["--", "login"]


def test_the_socket_of_a_login_is_the_same_for_equal_places_only(home: Path) -> None:
    sockets = [login_socket(target("", home, host=host, port=port)) for host, port in [("a", 1), ("a", 1), ("a", 2)]]

    assert sockets[0] == sockets[1] != sockets[2]


def test_the_socket_of_a_login_is_short_enough_under_any_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/" + "long/" * 30)

    assert len(str(login_socket(resolve(SSHSettings(host="login"))))) <= 80
