"""Passwords and passphrases, which only `client = "paramiko"` takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from crankshaft_core.config.secrets import Secret
from crankshaft_core.drivers.ssh import SSHDriver, SSHSettings
from crankshaft_core.drivers.ssh.settings import parse_host_key
from crankshaft_core.errors import AuthenticationError
from tests.conftest import had
from tests.integration.ssh.asking_server import AskingServer, asking
from tests.integration.ssh.conftest import OpenDriver, StartServer
from tests.integration.ssh.server import make_key, public

Ask = Callable[[str], AskingServer]


@pytest.fixture
def host_key(tmp_path: Path) -> Path:
    return had(lambda: make_key(tmp_path / "host_key"))


@pytest.fixture
def ask(host_key: Path) -> Iterator[Ask]:
    """A server that takes the password "right" by the given methods."""
    with ExitStack() as stack:
        yield lambda methods: stack.enter_context(asking(host_key, methods=methods, password="right"))


@pytest.fixture
def login(open_driver: OpenDriver, host_key: Path) -> Callable[..., SSHDriver]:
    def login(server: AskingServer, password: Secret | None = None) -> SSHDriver:
        pin = parse_host_key(public(host_key))
        return open_driver(
            SSHSettings(
                host="127.0.0.1", port=server.port, ssh_config="none", host_key=pin, password=password, name="hpc"
            )
        )

    return login


@pytest.mark.parametrize("methods", ["password", "keyboard-interactive", "publickey,password"])
async def test_a_password_lets_in(ask: Ask, login: Callable[..., SSHDriver], methods: str) -> None:
    driver = login(ask(methods), Secret("right"))

    assert (await driver.run("echo in; echo err >&2")).stdout == b"in\n"


async def test_a_wrong_password_is_tried_once_only(ask: Ask, login: Callable[..., SSHDriver]) -> None:
    server = ask("password")
    driver = login(server, Secret("wrong"))

    for _ in range(3):
        with pytest.raises(AuthenticationError, match="the password was refused") as caught:
            await driver.run("true")

    assert server.passwords == ["wrong"]
    assert "wrong" not in str(caught.value)


async def test_several_questions_are_not_answered_with_the_password(ask: Ask, login: Callable[..., SSHDriver]) -> None:
    server = ask("keyboard-interactive")
    server.questions = [("Password: ", False), ("Code: ", False)]

    with pytest.raises(AuthenticationError, match="code needed"):
        await login(server, Secret("right")).run("true")

    assert "right" not in server.passwords


async def test_a_question_without_a_password_is_passed_on_to_a_person(
    ask: Ask, login: Callable[..., SSHDriver]
) -> None:
    with pytest.raises(AuthenticationError) as caught:
        await login(ask("keyboard-interactive")).run("true")

    assert str(caught.value) == (
        'hpc: one-time code needed, which client = "paramiko" cannot ask for. Set client = "openssh"; then in another '
        "terminal: crankshaft login hpc"
    )


async def test_a_password_that_cannot_be_had_keeps_out(ask: Ask, login: Callable[..., SSHDriver]) -> None:
    driver = login(ask("password"), Secret("NO_SUCH_VARIABLE", source="env"))

    with pytest.raises(AuthenticationError, match="NO_SUCH_VARIABLE is not set"):
        await driver.run("true")


async def test_a_passphrase_opens_its_key(start_server: StartServer, open_driver: OpenDriver, tmp_path: Path) -> None:
    server = start_server()
    key = make_key(tmp_path / "key", passphrase="open sesame")
    server.authorize(key)
    server.configure(key=key)

    driver = open_driver(server.settings(passphrase=Secret("open sesame")))

    assert (await driver.run("echo in")).stdout == b"in\n"


async def test_a_wrong_passphrase_is_said_to_be_wrong(
    start_server: StartServer, open_driver: OpenDriver, tmp_path: Path
) -> None:
    server = start_server()
    key = make_key(tmp_path / "key", passphrase="open sesame")
    server.configure(key=key)

    with pytest.raises(AuthenticationError, match=rf"the passphrase does not open {key}"):
        await open_driver(server.settings(passphrase=Secret("wrong"))).run("true")
