"""Reading ssh_config, with ssh itself as the judge: `ssh -G` tells what it makes of a file."""

from __future__ import annotations

import getpass
import logging
import shutil
import subprocess
from pathlib import Path

import pytest

from crankshaft_core.drivers.ssh import ssh_config
from crankshaft_core.errors import ConfigError

CASES = {
    "plain": "Host login\n HostName login.example.org\n User me\n Port 2222\n",
    "first value counts": "Host login\n User first\nHost *\n User second\n Port 99\n",
    "before any Host": "User everywhere\nHost login\n User late\n",
    "equals signs and capitals": "HOST=login\n hostname = login.example.org\n PORT=7\n",
    "patterns": "Host *.org log?n !loginx\n User pattern\n",
    "negation": "Host * !login\n User not-for-login\nHost login\n User for-login\n",
    "several patterns": "Host a b login c\n Port 12\n",
    "quotes": 'Host "login"\n IdentityFile "/tmp/with space"\n User "me"\n',
    "comments": "# Host login\nHost login # the login node\n Port 5 # five\n",
    "identity files add up": "Host login\n IdentityFile /a\nHost *\n IdentityFile /c\n IdentityFile /a\n",
    "tokens in the host name": "Host login\n HostName %h.example.org\n",
    "proxy jump": "Host login\n ProxyJump me@gate:2200,second\n",
    "proxy command": "Host login\n ProxyCommand ssh -W '%h:%p' gate # no comment\n",
    "match all": "Match all\n Port 11\n",
    "match host": "Host login\n HostName login.example.org\nMatch host login.example.org\n Port 13\n",
    "match original host": "Host login\n HostName x.example.org\nMatch originalhost login\n Port 14\n",
    "match user": "Host login\n User me\nMatch user you,me\n Port 15\nMatch user you\n Port 16\n",
    "match local user": f"Match localuser {getpass.getuser()}\n Port 17\n",
    "match negated": "Match host login !user nobody-at-all\n Port 18\n",
    "match exec": 'Match host login exec "test %n = login"\n Port 19\nMatch exec "false"\n User wrong\n',
    "match final": "Match final host login.example.org\n Port 20\nHost login\n HostName login.example.org\n",
    "known hosts": "Host login\n UserKnownHostsFile /k1 /k2\n GlobalKnownHostsFile /g\n HostKeyAlias cluster\n",
    "timeouts": "Host login\n ConnectTimeout 7\n ServerAliveInterval 11\n",
    "identities only": "Host login\n IdentitiesOnly yes\n",
    "include": "Include included\nHost login\n Port 1\n User late\n",
    "include in a block that applies": "Host login\n Include included\n User late\n",
    "include in a block that does not": "Host other\n Include included\nHost login\n User late\n",
    "a block after an include": "Host login\n Include blocks\n User still-login\n",
    "include by pattern": "Include conf.d/*.conf\n",
    "include of nothing": "Include no-such-file\nHost login\n Port 3\n",
}
COMPARED = (
    "hostname", "port", "user", "identityfile", "proxyjump", "proxycommand", "identitiesonly", "connecttimeout",
    "serveraliveinterval", "hostkeyalias", "userknownhostsfile", "globalknownhostsfile",
)  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / ".ssh"
    (folder / "conf.d").mkdir(parents=True)
    (folder / "included").write_text("Port 77\nHost login\n User included\n")
    (folder / "blocks").write_text("Host other\n User other\nHost login\n Port 78\n")
    (folder / "conf.d" / "2.conf").write_text("Host login\n Port 82\n")
    (folder / "conf.d" / "1.conf").write_text("Host login\n Port 81\n")
    return tmp_path


def ssh_says(file: Path, *more: str) -> dict[str, list[str]]:
    if shutil.which("ssh") is None:
        pytest.skip("no ssh here; apt-get install openssh-client")
    printed = subprocess.run(["ssh", "-F", str(file), *more, "-G", "login"], check=True, capture_output=True, text=True)
    told: dict[str, list[str]] = {}
    for line in printed.stdout.splitlines():
        name, _, value = line.partition(" ")
        told.setdefault(name, []).append(value)
    return told


@pytest.mark.parametrize("case", CASES)
def test_ssh_reads_the_same(home: Path, case: str) -> None:
    file = home / ".ssh" / "config"
    # ssh looks for includes beside the user's own file, which is not in this home
    file.write_text(CASES[case].replace("Include ", f"Include {home}/.ssh/"))
    nothing = ssh_says(Path("/dev/null"))
    expected = {name: value for name, value in ssh_says(file).items() if value != nothing.get(name)}

    found = ssh_config.lookup("login", user=None, port=None, file=str(file), home=home)

    if "hostname" in found:
        found = {**found, "hostname": [ssh_config.expand(found["hostname"][0], {"h": "login"})]}
    joined = {name: list(value) if name == "identityfile" else [" ".join(value)] for name, value in found.items()}
    told = {name: joined.get(name, nothing.get(name)) for name in COMPARED}
    assert {name: value for name, value in told.items() if value != nothing.get(name)} == {
        name: value for name, value in expected.items() if name in COMPARED
    }


def test_given_values_outrank_the_files(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("Host login\n User file\n Port 1\nMatch user given\n HostName matched\n")

    found = ssh_config.lookup("login", user="given", port=2, file=str(tmp_path / "config"), home=tmp_path)

    assert (found["user"], found["port"], found["hostname"]) == (["given"], ["2"], ["matched"])


def test_relative_includes_stand_beside_the_users_file(home: Path) -> None:
    (home / ".ssh" / "config").write_text("Include included\n")

    assert ssh_config.lookup("login", user=None, port=None, file=None, home=home)["port"] == ["77"]


def test_none_reads_no_file(home: Path) -> None:
    (home / ".ssh" / "config").write_text("Port 5\n")

    assert ssh_config.lookup("login", user=None, port=None, file="none", home=home) == {}


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no file /no/where"):
        ssh_config.lookup("login", user=None, port=None, file="/no/where", home=tmp_path)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Host login\n User\n", "config:2: 'User' has no value"),
        ('Host "login\n', "config:1: a quote is not closed"),
        ("Match host\n", "config:1: Match host needs a value"),
        ("Include config\n", "too many files include each other"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(home: Path, text: str, complaint: str) -> None:
    (home / ".ssh" / "config").write_text(text)

    with pytest.raises(ConfigError, match=complaint):
        ssh_config.lookup("login", user=None, port=None, file=None, home=home)


def test_a_criterion_that_is_not_understood_does_not_apply_and_is_said(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (home / ".ssh" / "config").write_text("Match localnetwork 10.0.0.0/8\n Port 6\nMatch all\n Port 7\n")

    with caplog.at_level(logging.WARNING):
        found = ssh_config.lookup("login", user=None, port=None, file=None, home=home)

    assert found["port"] == ["7"]
    assert 'config:1: client = "paramiko" passes over "Match localnetwork"' in caplog.text


def test_a_token_without_a_meaning_is_an_error() -> None:
    with pytest.raises(ConfigError, match="%z"):
        ssh_config.expand("a%z", {"h": "x"})


def test_paths_are_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYS", "/keys")

    assert ssh_config.expand_path("~/%r-${KEYS}-%%", {"r": "me"}, Path("/home/me")) == "/home/me/me-/keys-%"
