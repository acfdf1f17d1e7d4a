"""Being let in, and knowing by whom: host keys, keys, agents, ways. For both clients, but where it says why."""

from __future__ import annotations

import asyncio
import getpass
import re
import subprocess
import time
from pathlib import Path

import pytest

from crankshaft_core.drivers.ssh import SSHDriver, SSHSettings, login_command
from crankshaft_core.drivers.ssh.settings import parse_host_key
from crankshaft_core.errors import AuthenticationError
from tests.integration.ssh.conftest import OpenDriver, StartServer
from tests.integration.ssh.server import (
    Server,
    agent_holding,
    make_key,
    public,
    shown_fingerprint,
    wait_until,
)
from tests.services.running import Sshd


async def works(driver: SSHDriver) -> bool:
    return (await driver.run("echo yes")).stdout == b"yes\n"


# host keys


async def test_an_unknown_host_key_is_refused_with_its_fingerprint_and_the_line_to_type(
    start_server: StartServer, client: str, open_driver: OpenDriver
) -> None:
    server = start_server()
    server.known_hosts.write_text("")
    driver = open_driver(server.settings(client=client))

    with pytest.raises(AuthenticationError) as caught:
        await driver.run("true")

    line = f"ssh-keyscan -t ed25519 -p {server.port} 127.0.0.1"
    assert str(caught.value) == (
        f"127.0.0.1: host key not known: ssh-ed25519 {shown_fingerprint(server.host_key)}. Compare it with what the "
        f"site publishes (see it again: {line} | ssh-keygen -lf -); if it is right: {line} >> {server.known_hosts}. "
        "Nothing was sent."
    )


async def test_the_line_to_type_makes_the_host_known(
    start_server: StartServer, client: str, open_driver: OpenDriver
) -> None:
    server = start_server()
    server.known_hosts.write_text("")
    driver = open_driver(server.settings(client=client))
    with pytest.raises(AuthenticationError) as caught:
        await driver.run("true")
    line = re.search(r"if it is right: (.*)\. Nothing", str(caught.value))
    assert line is not None

    await asyncio.to_thread(subprocess.run, ["sh", "-c", line[1]], check=True, stderr=subprocess.DEVNULL)

    assert await works(driver)


async def test_a_changed_host_key_is_refused_with_both_fingerprints(
    start_server: StartServer, client: str, open_driver: OpenDriver, tmp_path: Path
) -> None:
    server = start_server()
    other = make_key(tmp_path / "other")
    server.know(other)
    driver = open_driver(server.settings(client=client))

    with pytest.raises(AuthenticationError) as caught:
        await driver.run("true")

    assert str(caught.value) == (
        f"127.0.0.1: host key CHANGED (was {shown_fingerprint(other)}, now {shown_fingerprint(server.host_key)}). Ask "
        f"the admin; then ssh-keygen -R '[127.0.0.1]:{server.port}' -f {server.known_hosts}. Nothing was sent."
    )
    assert server.logins() == 0


async def test_a_hashed_known_hosts_file_is_understood(
    start_server: StartServer, client: str, open_driver: OpenDriver
) -> None:
    server = start_server()
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(server.known_hosts)], check=True, capture_output=True)
    assert server.known_hosts.read_text().startswith("|1|")

    assert await works(open_driver(server.settings(client=client)))


async def test_a_revoked_host_key_is_refused(start_server: StartServer, client: str, open_driver: OpenDriver) -> None:
    server = start_server()
    server.known_hosts.write_text(server.known_hosts.read_text() + "@revoked * " + public(server.host_key) + "\n")
    driver = open_driver(server.settings(client=client))

    with pytest.raises(AuthenticationError, match="revoked"):
        await driver.run("true")


async def test_a_pinned_host_key_counts_whatever_known_hosts_says(
    start_server: StartServer, client: str, open_driver: OpenDriver, tmp_path: Path
) -> None:
    server = start_server()
    server.know(make_key(tmp_path / "other"))

    assert await works(open_driver(server.settings(client=client, host_key=parse_host_key(public(server.host_key)))))


async def test_another_key_than_the_pinned_one_is_refused(
    start_server: StartServer, client: str, open_driver: OpenDriver, tmp_path: Path
) -> None:
    server = start_server()
    other = make_key(tmp_path / "other")
    driver = open_driver(server.settings(client=client, host_key=parse_host_key(public(other))))

    with pytest.raises(AuthenticationError) as caught:
        await driver.run("true")

    assert str(caught.value) == (
        f"127.0.0.1: host key CHANGED (was {shown_fingerprint(other)}, now {shown_fingerprint(server.host_key)}). Ask "
        "the admin; then correct host_key. Nothing was sent."
    )


async def test_of_several_host_keys_the_known_one_is_asked_for(
    start_server: StartServer, client: str, open_driver: OpenDriver, tmp_path: Path
) -> None:
    rsa = make_key(tmp_path / "rsa", kind="rsa")
    server = start_server(HostKey=str(rsa))  # beside the ed25519 one, which clients like better
    server.know(rsa)

    assert await works(open_driver(server.settings(client=client)))


# keys


async def test_a_refused_key_is_named_and_the_remedy_too(
    start_server: StartServer, client: str, open_driver: OpenDriver, tmp_path: Path
) -> None:
    server = start_server()
    wrong = make_key(tmp_path / "wrong")
    server.configure(key=wrong)
    driver = open_driver(server.settings(client=client))

    with pytest.raises(AuthenticationError) as caught:
        await driver.run("true")

    assert str(caught.value).startswith(
        f"{driver.where}: not let in. Tried 1 key: {wrong}. The server takes: publickey. "
    )
    assert f"ssh-copy-id -p {server.port}" in str(caught.value)


async def test_a_refused_login_is_not_tried_again(
    start_server: StartServer, client: str, open_driver: OpenDriver, tmp_path: Path
) -> None:
    server = start_server()
    server.configure(key=make_key(tmp_path / "wrong"))
    driver = open_driver(server.settings(client=client))
    with pytest.raises(AuthenticationError) as first:
        await driver.run("true")
    attempts = server.attempts()

    for _ in range(3):
        with pytest.raises(AuthenticationError, match=re.escape(str(first.value))):
            await driver.run("true")

    assert server.attempts() == attempts


async def test_a_refused_login_is_tried_again_once_the_key_has_changed(
    start_server: StartServer, client: str, open_driver: OpenDriver, tmp_path: Path
) -> None:
    server = start_server()
    key = make_key(tmp_path / "key")
    server.configure(key=key)
    driver = open_driver(server.settings(client=client))
    with pytest.raises(AuthenticationError):
        await driver.run("true")

    key.write_bytes(server.user_key.read_bytes())
    key.with_suffix(".pub").write_text(public(server.user_key) + "\n")

    assert await works(driver)


async def test_a_refused_login_is_tried_again_once_the_agent_has_another_key(
    start_server: StartServer, client: str, open_driver: OpenDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start_server()
    server.ssh_config.write_text(server.ssh_config.read_text().replace("IdentitiesOnly yes", "IdentitiesOnly no"))
    server.ssh_config.write_text(server.ssh_config.read_text().replace(str(server.user_key), str(tmp_path / "none")))
    with agent_holding() as agent:
        monkeypatch.setenv("SSH_AUTH_SOCK", agent)
        driver = open_driver(server.settings(client=client))
        with pytest.raises(AuthenticationError, match="No key was found to try"):
            await driver.run("true")

        await asyncio.to_thread(subprocess.run, ["ssh-add", "-q", str(server.user_key)], check=True)

        assert await works(driver)


async def test_the_named_key_goes_before_the_agents_eight(
    start_server: StartServer, client: str, open_driver: OpenDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start_server()
    others = [make_key(tmp_path / f"key{number}") for number in range(8)]
    server.ssh_config.write_text("")
    with agent_holding(*others) as agent:
        monkeypatch.setenv("SSH_AUTH_SOCK", agent)
        settings = server.settings(
            host="127.0.0.1",
            port=server.port,
            client=client,
            identity_file=str(server.user_key),
            known_hosts=str(server.known_hosts),
        )

        assert await works(open_driver(settings))


async def test_the_key_that_ssh_config_names_may_be_the_last_of_the_agents_eight(
    start_server: StartServer, client: str, open_driver: OpenDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start_server()
    others = [make_key(tmp_path / f"key{number}") for number in range(7)]
    server.ssh_config.write_text(server.ssh_config.read_text().replace("IdentitiesOnly yes", "IdentitiesOnly no"))
    with agent_holding(*others, server.user_key) as agent:
        monkeypatch.setenv("SSH_AUTH_SOCK", agent)

        assert await works(open_driver(server.settings(client=client)))


async def test_too_many_keys_are_counted(
    start_server: StartServer, client: str, open_driver: OpenDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start_server()
    others = [make_key(tmp_path / f"key{number}") for number in range(8)]
    server.ssh_config.write_text("")
    with agent_holding(*others) as agent:
        monkeypatch.setenv("SSH_AUTH_SOCK", agent)
        settings = server.settings(
            host="127.0.0.1", port=server.port, client=client, known_hosts=str(server.known_hosts)
        )
        with pytest.raises(AuthenticationError, match=r"Tried [67] keys: .*hung up.*too many.*identity_file"):
            await open_driver(settings).run("true")


async def test_a_key_that_only_the_agent_holds_is_used(
    start_server: StartServer, client: str, open_driver: OpenDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start_server()
    with agent_holding(server.user_key) as agent:
        server.user_key.rename(tmp_path / "away")
        monkeypatch.setenv("SSH_AUTH_SOCK", agent)

        assert await works(open_driver(server.settings(client=client)))


async def test_an_encrypted_key_asks_for_ssh_add(
    start_server: StartServer, client: str, open_driver: OpenDriver, tmp_path: Path
) -> None:
    server = start_server()
    locked = make_key(tmp_path / "locked", passphrase="secret")
    server.authorize(locked)
    server.configure(key=locked)

    with pytest.raises(AuthenticationError, match=rf"{locked} is encrypted: ssh-add {locked}"):
        await open_driver(server.settings(client=client)).run("true")


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
async def test_each_kind_of_key_works(
    start_server: StartServer, client: str, open_driver: OpenDriver, tmp_path: Path, kind: str
) -> None:
    server = start_server()
    key = make_key(tmp_path / "key", kind=kind)
    server.authorize(key)
    server.configure(key=key)

    assert await works(open_driver(server.settings(client=client)))


async def test_an_rsa_key_of_the_agent_works(
    start_server: StartServer, client: str, open_driver: OpenDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start_server()
    key = make_key(tmp_path / "key", kind="rsa", passphrase="")
    server.authorize(key)
    server.configure(key=tmp_path / "key.pub")
    with agent_holding(key) as agent:
        key.unlink()
        monkeypatch.setenv("SSH_AUTH_SOCK", agent)

        assert await works(open_driver(server.settings(client=client)))


async def test_a_server_that_wants_a_password_as_well_does_not_block(
    start_server: StartServer, client: str, open_driver: OpenDriver
) -> None:
    server = start_server(PasswordAuthentication="yes", AuthenticationMethods="publickey,password")
    driver = open_driver(server.settings(client=client, name="hpc"))
    begun = time.monotonic()

    with pytest.raises(AuthenticationError, match=r"hpc: password needed.*crankshaft login hpc"):
        await driver.run("true")

    assert time.monotonic() - begun < 10


async def test_a_server_that_takes_passwords_only_does_not_block(
    start_server: StartServer, client: str, open_driver: OpenDriver
) -> None:
    server = start_server(PasswordAuthentication="yes", PubkeyAuthentication="no")
    driver = open_driver(server.settings(client=client, name="hpc"))

    with pytest.raises(AuthenticationError, match=r"hpc: password needed.*crankshaft login hpc"):
        await driver.run("true")


async def test_runs_use_the_connection_that_was_opened_by_hand(
    start_server: StartServer, open_driver: OpenDriver
) -> None:
    """Only the system's ssh can hand a connection on from one process to another."""
    server = start_server()
    settings = server.settings(client="openssh")
    await asyncio.to_thread(subprocess.run, login_command(settings), check=True, stdin=subprocess.DEVNULL)
    server.authorized_keys.write_text("")
    try:
        driver = open_driver(settings)
        assert await works(driver)
        await driver.aclose()
        assert await works(open_driver(settings)), "closing a driver must not end it"
        assert server.logins() == 1
    finally:
        server.hang_up()


async def test_a_refused_login_is_tried_again_once_a_connection_was_opened_by_hand(
    start_server: StartServer, open_driver: OpenDriver
) -> None:
    server = start_server()
    settings = server.settings(client="openssh")
    server.authorized_keys.write_text("")
    driver = open_driver(settings)
    with pytest.raises(AuthenticationError):
        await driver.run("true")
    server.authorize(server.user_key)
    await asyncio.to_thread(subprocess.run, login_command(settings), check=True, stdin=subprocess.DEVNULL)
    server.authorized_keys.write_text("")
    try:
        assert await works(driver)
    finally:
        server.hang_up()


# ways


async def test_a_proxy_jump_leads_through_the_hop(
    start_server: StartServer, client: str, open_driver: OpenDriver
) -> None:
    server, hop = start_server(), start_server()
    hop_lines = hop.ssh_config.read_text().replace("Host login", "Host gate")
    server.ssh_config.write_text(hop_lines + server.ssh_config.read_text() + "  ProxyJump gate\n")
    driver = open_driver(server.settings(client=client))

    assert await works(driver)
    assert (hop.logins(), server.logins()) == (1, 1)


async def test_a_proxy_jump_may_lead_through_the_host_itself(
    start_server: StartServer, client: str, open_driver: OpenDriver
) -> None:
    server = start_server()
    gate = server.ssh_config.read_text().replace("Host login", "Host gate")
    server.ssh_config.write_text(gate + server.ssh_config.read_text() + "  ProxyJump gate\n")

    assert await works(open_driver(server.settings(client=client)))
    assert server.logins() == 2


async def test_a_hop_that_does_not_let_us_in_is_named(
    start_server: StartServer, client: str, open_driver: OpenDriver
) -> None:
    server, hop = start_server(), start_server()
    hop.authorized_keys.write_text("")
    gate = hop.ssh_config.read_text().replace("Host login", "Host gate")
    server.ssh_config.write_text(gate + server.ssh_config.read_text() + "  ProxyJump gate\n")

    with pytest.raises(AuthenticationError, match=rf"@gate: not let in\. Tried 1 key: {hop.user_key}\."):
        await open_driver(server.settings(client=client)).run("true")


async def test_a_hop_with_an_unknown_host_key_is_named(
    start_server: StartServer, client: str, open_driver: OpenDriver
) -> None:
    server, hop = start_server(), start_server()
    hop.known_hosts.write_text("")
    gate = hop.ssh_config.read_text().replace("Host login", "Host gate")
    server.ssh_config.write_text(gate + server.ssh_config.read_text() + "  ProxyJump gate\n")

    with pytest.raises(AuthenticationError) as caught:
        await open_driver(server.settings(client=client)).run("true")

    assert shown_fingerprint(hop.host_key) in str(caught.value)
    assert f"-p {hop.port} 127.0.0.1 >> {hop.known_hosts}" in str(caught.value)


async def test_a_proxy_command_is_run(
    start_server: StartServer, client: str, open_driver: OpenDriver, tmp_path: Path
) -> None:
    server = start_server()
    command = f"sh -c 'echo %h %p %r >{tmp_path}/asked; exec ssh -F {tmp_path}/direct -W %h:%p gate'"
    (tmp_path / "direct").write_text(server.ssh_config.read_text().replace("Host login", "Host gate"))
    server.ssh_config.write_text(server.ssh_config.read_text() + f"  ProxyCommand {command}\n")

    assert await works(open_driver(server.settings(client=client)))
    assert (tmp_path / "asked").read_text() == f"127.0.0.1 {server.port} {getpass.getuser()}\n"


async def test_what_a_proxy_command_says_is_reported(
    start_server: StartServer, client: str, open_driver: OpenDriver
) -> None:
    server = start_server()
    server.ssh_config.write_text(
        server.ssh_config.read_text() + "  ProxyCommand sh -c 'echo no way today >&2; exit 1'\n"
    )

    with pytest.raises(Exception, match="no way today"):
        await open_driver(server.settings(client=client)).run("true")


async def test_ssh_config_is_included(
    start_server: StartServer, client: str, open_driver: OpenDriver, tmp_path: Path
) -> None:
    server = start_server()
    (tmp_path / "conf.d").mkdir()
    server.ssh_config.rename(tmp_path / "conf.d" / "10-login.conf")
    server.ssh_config.write_text(f"Include {tmp_path}/conf.d/*.conf\n")

    assert await works(open_driver(server.settings(client=client)))


async def test_the_sites_own_login_works(sshd: Sshd, client: str, open_driver: OpenDriver) -> None:
    """The seed configuration's host name, as `tests/services` serves it."""
    driver = open_driver(SSHSettings(host="login.slurm.cluster", ssh_config=str(sshd.ssh_config), client=client))

    assert driver.where == f"{sshd.user}@login.slurm.cluster"
    assert (await driver.run("id -un")).stdout.decode() == f"{sshd.user}\n"


def test_the_tests_leave_no_connection_behind(server: Server) -> None:
    wait_until(lambda: server.sessions() == 0, "the end of all connections")
