"""Scripts on a real sshd, the same for both clients."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import sys
import time
from pathlib import Path

import pytest

from crankshaft_core.drivers.ssh import SSHDriver
from crankshaft_core.errors import TransportError
from tests.integration.ssh.conftest import OpenDriver, StartServer
from tests.integration.ssh.delay import delaying_proxy
from tests.integration.ssh.server import Server, wait_until

MEGABYTE = 1_000_000


async def test_status_stdout_and_stderr_come_back_apart(driver: SSHDriver) -> None:
    done = await driver.run("echo out; echo err >&2; exit 3")

    assert (done.status, done.stdout, done.stderr) == (3, b"out\n", b"err\n")


async def test_a_script_that_prints_nothing_returns_nothing(driver: SSHDriver) -> None:
    done = await driver.run("true")

    assert (done.status, done.stdout, done.stderr) == (0, b"", b"")


async def test_output_without_a_last_newline_is_not_given_one(driver: SSHDriver) -> None:
    done = await driver.run("printf out; printf err >&2")

    assert (done.stdout, done.stderr) == (b"out", b"err")


async def test_every_byte_survives_stdin_and_stdout(driver: SSHDriver) -> None:
    data = bytes(range(256)) * 3

    assert (await driver.run("cat", stdin=data)).stdout == data


async def test_every_byte_but_nul_survives_in_a_script(driver: SSHDriver) -> None:
    data = bytes(range(1, 256))
    script = "printf %s " + shlex.quote(os.fsdecode(data))

    assert (await driver.run(script)).stdout == data


async def test_a_nul_in_a_script_is_refused(driver: SSHDriver) -> None:
    with pytest.raises(ValueError, match="NUL"):
        await driver.run("echo a\0b")


async def test_20_megabytes_on_each_stream_do_not_hang(driver: SSHDriver) -> None:
    done = await driver.run(f"head -c {20 * MEGABYTE} /dev/zero >&2; head -c {20 * MEGABYTE} /dev/zero")

    assert (len(done.stdout), len(done.stderr)) == (20 * MEGABYTE, 20 * MEGABYTE)


async def test_large_stdin_and_large_output_at_once_do_not_hang(driver: SSHDriver) -> None:
    data = os.urandom(8 * MEGABYTE)

    assert (await driver.run("cat", stdin=data)).stdout == data


async def test_large_output_before_stdin_is_read_does_not_hang(driver: SSHDriver) -> None:
    done = await driver.run(f"head -c {8 * MEGABYTE} /dev/zero >&2; wc -c", stdin=bytes(8 * MEGABYTE))

    assert int(done.stdout) == 8 * MEGABYTE


async def test_stdin_that_is_not_read_does_not_reach_the_next_script(driver: SSHDriver) -> None:
    await driver.run("true", stdin=b"echo wrong\n" * 100_000)

    assert (await driver.run("cat; echo right")).stdout == b"right\n"


async def test_a_script_without_stdin_reads_its_end(driver: SSHDriver) -> None:
    assert (await driver.run("cat; echo end")).stdout == b"end\n"


async def test_one_call_carries_50_files(driver: SSHDriver, tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    lines = [f"mkdir -p {folder}"]
    for number in range(50):
        lines += [f"cat >{folder}/{number} <<'END{number}'", "#!/bin/bash\n" + "x" * 5000, f"END{number}"]

    done = await driver.run("\n".join(lines))

    assert done.status == 0
    assert sorted(path.stat().st_size for path in folder.iterdir()) == [5013] * 50


async def test_scripts_do_not_see_each_others_variables_and_directories(driver: SSHDriver) -> None:
    look = 'pwd; umask; echo "<${x-unset}>"'
    before = (await driver.run(look)).stdout
    await driver.run("cd /; x=1; set -e; shopt -s nullglob; trap 'echo bye' EXIT; umask 0; exec 3>&1")

    assert (await driver.run(look)).stdout == before


async def test_a_syntax_error_is_a_status_and_a_message(driver: SSHDriver) -> None:
    done = await driver.run("if true; then")

    assert done.status != 0
    assert b"syntax error" in done.stderr


async def test_the_shell_works_on_after_a_script_ended_itself_by_a_signal(driver: SSHDriver) -> None:
    done = await driver.run("kill -KILL $BASHPID")

    assert done.status == 137
    assert (await driver.run("echo next")).stdout == b"next\n"


async def test_a_process_left_behind_keeps_nobody_waiting(driver: SSHDriver) -> None:
    begun = time.monotonic()

    await driver.run("sleep 30 & echo $!; disown", timeout=10)

    assert time.monotonic() - begun < 5


async def test_calls_at_once_each_get_their_own_answer(driver: SSHDriver) -> None:
    answers = await asyncio.gather(*(driver.run(f"echo {number}") for number in range(50)))

    assert [int(answer.stdout) for answer in answers] == list(range(50))


async def test_500_calls_use_one_login(start_server: StartServer, client: str, open_driver: OpenDriver) -> None:
    server = start_server()
    driver = open_driver(server.settings(client=client))
    await driver.run("true")
    begun = time.monotonic()

    for _ in range(500):
        await driver.run("echo x")

    rate = 500 / (time.monotonic() - begun)
    sys.stdout.write(f"{client}: {rate:.0f} calls/s\n")
    assert server.logins() == 1
    assert rate > 50


async def test_a_call_costs_one_round_trip(
    server: Server, client: str, open_driver: OpenDriver, tmp_path: Path
) -> None:
    """The round trip takes so long that what the machine adds, busy as it may be, is little beside it."""
    script = "\n".join(f"cat >{tmp_path}/{number} <<'END'\n{'x' * 1000}\nEND" for number in range(10))
    with delaying_proxy(server.port, seconds=0.2) as port:
        known = tmp_path / "known_hosts"
        known.write_text(server.known_hosts.read_text().replace(str(server.port), str(port)))
        driver = open_driver(server.settings(client=client, port=port, known_hosts=str(known)))
        await driver.run("true")
        times: list[float] = []
        for _ in range(5):
            begun = time.monotonic()
            await driver.run(script, stdin=b"y" * 1000)
            times.append(time.monotonic() - begun)
        await driver.aclose()

    sys.stdout.write(f"{client}: {min(times) / 0.4:.2f} round trips a call\n")
    assert 1.0 <= min(times) / 0.4 < 1.7


async def test_a_cancelled_call_that_waits_its_turn_is_not_run(driver: SSHDriver, tmp_path: Path) -> None:
    first = asyncio.create_task(driver.run(f"touch {tmp_path}/begun; sleep 1"))
    second = asyncio.create_task(driver.run(f"touch {tmp_path}/wrong"))
    await asyncio.to_thread(wait_until, (tmp_path / "begun").exists, "the first call")
    second.cancel()
    await first
    await driver.run("true")

    assert not (tmp_path / "wrong").exists()


async def test_a_call_whose_turn_does_not_come_in_time_was_not_sent(driver: SSHDriver, tmp_path: Path) -> None:
    first = asyncio.create_task(driver.run(f"touch {tmp_path}/begun; sleep 2"))
    await asyncio.to_thread(wait_until, (tmp_path / "begun").exists, "the first call")

    with pytest.raises(TransportError, match="nothing was sent"):
        await driver.run(f"touch {tmp_path}/wrong", timeout=0.2)

    await first
    await driver.run("true")
    assert not (tmp_path / "wrong").exists()


async def test_banner_and_chatty_start_up_files_do_no_harm(
    start_server: StartServer, client: str, open_driver: OpenDriver, tmp_path: Path
) -> None:
    banner = tmp_path / "banner"
    banner.write_text("Welcome. Maintenance on Monday.\n")
    server = start_server(Banner=str(banner), PrintMotd="yes")
    for name in (".bashrc", ".profile", ".bash_profile"):
        (server.home / name).write_text(f"echo hello from {name}; echo oops >&2; printf 'no newline'\n")
    driver = open_driver(server.settings(client=client))

    done = await driver.run("echo out; echo err >&2")

    assert (done.stdout, done.stderr) == (b"out\n", b"err\n")


async def test_a_login_shell_reads_the_profile(start_server: StartServer, client: str, open_driver: OpenDriver) -> None:
    server = start_server()
    (server.home / ".bash_profile").write_text("echo chatter; read -r line; export SITE=here\n")
    driver = open_driver(server.settings(client=client, login=True))

    assert (await driver.run("echo $SITE")).stdout == b"here\n"


async def test_the_profile_is_not_read_unless_asked_for(
    start_server: StartServer, client: str, open_driver: OpenDriver
) -> None:
    server = start_server()
    (server.home / ".bash_profile").write_text("export SITE=here\n")
    driver = open_driver(server.settings(client=client))

    assert (await driver.run("echo ${SITE-unset}")).stdout == b"unset\n"


async def test_scripts_run_in_the_locale_of_the_login(
    start_server: StartServer, client: str, open_driver: OpenDriver
) -> None:
    server = start_server(SetEnv="LC_ALL=C.UTF-8")
    driver = open_driver(server.settings(client=client))

    assert (await driver.run("echo $LC_ALL; x=é; echo ${#x}")).stdout == b"C.UTF-8\n1\n"


async def test_a_locale_that_is_not_installed_there_does_not_speak_up(
    start_server: StartServer, client: str, open_driver: OpenDriver
) -> None:
    server = start_server(SetEnv="LC_ALL=xx_XX.UTF-8")
    driver = open_driver(server.settings(client=client))

    assert (await driver.run("echo $LC_ALL")).stderr == b""


@pytest.mark.parametrize("login_shell", ["dash", "tcsh"])
async def test_the_users_login_shell_may_be_another(
    start_server: StartServer, client: str, open_driver: OpenDriver, login_shell: str
) -> None:
    if shutil.which(login_shell) is None:
        pytest.skip(f"no {login_shell} here; apt-get install {login_shell}")
    server = start_server(ForceCommand=f'{login_shell} -c "$SSH_ORIGINAL_COMMAND"')
    driver = open_driver(server.settings(client=client))

    assert (await driver.run("[[ a == a ]] && cat", stdin=b"bash\n")).stdout == b"bash\n"
