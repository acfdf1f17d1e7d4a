"""What becomes of calls when the line breaks, hangs or is not there; and whose connection it is."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from crankshaft_core.drivers.ssh import SSHDriver, SSHSettings, Timing
from crankshaft_core.errors import AnswerLostError, BackendError, TransportError
from tests.integration.ssh.conftest import OpenDriver, StartServer
from tests.integration.ssh.server import Server, children, command, free_port, wait_until


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Clock:
    """Time that only passes when told, and dice that always show the most."""

    def __init__(self) -> None:
        self.now = 1000.0

    @property
    def timing(self) -> Timing:
        return Timing(monotonic=lambda: self.now, uniform=lambda _, longest: longest)


async def test_a_call_that_takes_too_long_is_lost_and_says_so(driver: SSHDriver) -> None:
    with pytest.raises(AnswerLostError, match=r"no answer within 0\.5 s; the call may have taken effect"):
        await driver.run("sleep 60", timeout=0.5)


async def test_after_a_time_out_the_next_call_works_on_the_same_connection(
    start_server: StartServer, client: str, open_driver: OpenDriver
) -> None:
    server = start_server()
    driver = open_driver(server.settings(client=client))
    with pytest.raises(AnswerLostError):
        await driver.run("sleep 60", timeout=0.5)

    assert (await driver.run("echo next")).stdout == b"next\n"
    assert server.logins() == 1


async def test_a_script_that_took_too_long_is_ended_with_its_children(driver: SSHDriver, tmp_path: Path) -> None:
    with pytest.raises(AnswerLostError):
        await driver.run(f"sleep 60 & echo $! >{tmp_path}/pid; wait", timeout=1)

    await driver.run("true")

    wait_until(lambda: not lives(int((tmp_path / "pid").read_text())), "the end of the script's child")


async def test_what_a_script_started_in_a_session_of_its_own_outlives_its_time_out(
    driver: SSHDriver, tmp_path: Path
) -> None:
    with pytest.raises(AnswerLostError):
        await driver.run(
            f"setsid bash -c 'echo $$ >{tmp_path}/pid; exec sleep 20' </dev/null >/dev/null 2>&1 & sleep 60", timeout=1
        )

    await driver.run("true")

    assert lives(int((tmp_path / "pid").read_text()))
    os.kill(int((tmp_path / "pid").read_text()), 15)


async def test_a_connection_killed_in_mid_call_loses_the_answer_and_runs_nothing_twice(
    start_server: StartServer, client: str, open_driver: OpenDriver, tmp_path: Path
) -> None:
    server = start_server()
    driver = open_driver(server.settings(client=client))
    call = asyncio.create_task(driver.run(f"echo once >>{tmp_path}/ran; sleep 3; echo end >>{tmp_path}/ran"))
    await asyncio.to_thread(wait_until, (tmp_path / "ran").exists, "the script's first line")
    server.hang_up()

    with pytest.raises(AnswerLostError, match="connection lost in the middle of a call"):
        await call
    assert (await driver.run("echo again")).stdout == b"again\n"
    await asyncio.to_thread(wait_until, lambda: "end" in (tmp_path / "ran").read_text(), "the script's end")
    assert (tmp_path / "ran").read_text() == "once\nend\n"


async def test_a_connection_killed_while_idle_goes_unnoticed(
    start_server: StartServer, client: str, open_driver: OpenDriver
) -> None:
    server = start_server()
    driver = open_driver(server.settings(client=client))
    await driver.run("true")
    server.hang_up()
    await asyncio.sleep(0.5)  # the news travels

    assert (await driver.run("echo back")).stdout == b"back\n"
    assert server.logins() == 2


async def test_where_nothing_listens_the_error_names_host_and_port(client: str, open_driver: OpenDriver) -> None:
    port = free_port()
    driver = open_driver(SSHSettings(host="127.0.0.1", port=port, client=client, ssh_config="none", timeout=10))

    with pytest.raises(TransportError, match=rf"127\.0\.0\.1.*{port}.*[Cc]onnection refused"):
        await driver.run("true")


async def test_an_unknown_host_name_is_said_to_be_unknown(client: str, open_driver: OpenDriver) -> None:
    driver = open_driver(SSHSettings(host="no-such-host.invalid", client=client, ssh_config="none", timeout=10))

    with pytest.raises(TransportError, match=r"no-such-host\.invalid.*([Nn]ame|resolution)"):
        await driver.run("true")


async def test_a_server_that_says_nothing_is_given_up_in_time(client: str, open_driver: OpenDriver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        driver = open_driver(SSHSettings(host="127.0.0.1", port=port, client=client, ssh_config="none", timeout=1))
        begun = time.monotonic()
        with pytest.raises(TransportError):
            await driver.run("true")

    assert time.monotonic() - begun < 5


async def test_tries_are_spaced_while_the_server_is_away(
    start_server: StartServer, client: str, open_driver: OpenDriver
) -> None:
    server = start_server()
    clock = Clock()
    driver = open_driver(server.settings(client=client), timing=clock.timing)
    await driver.run("true")
    server.hang_up()
    server.stop()

    told: list[str] = []
    for _ in range(4):  # the first may only find the line dead, the next is refused, the others are not even made
        with pytest.raises(BackendError) as caught:
            await driver.run("true")
        told.append(str(caught.value))
    assert re.search(r"connection lost \d\d:\d\d \(.*refused.*\); retrying in 2 s", told[-1])


async def test_once_the_time_is_come_a_returned_server_is_used_again(
    start_server: StartServer, client: str, open_driver: OpenDriver
) -> None:
    server = start_server()
    clock = Clock()
    driver = open_driver(server.settings(client=client), timing=clock.timing)
    server.stop()
    with pytest.raises(TransportError, match="refused"):
        await driver.run("true")
    server.restart()
    with pytest.raises(TransportError, match="retrying in 2 s"):
        await driver.run("true")
    clock.now += 2.1

    assert (await driver.run("echo back")).stdout == b"back\n"
    assert driver.outage is None


async def test_an_outage_says_since_when_and_why(
    start_server: StartServer, client: str, open_driver: OpenDriver
) -> None:
    server = start_server()
    driver = open_driver(server.settings(client=client), timing=Clock().timing)
    server.stop()
    with pytest.raises(TransportError):
        await driver.run("true")

    assert driver.outage is not None
    assert abs(driver.outage.since - time.time()) < 60
    assert "refused" in driver.outage.reason
    assert driver.outage.retry_in == 2.0


async def test_two_sessions_are_enough_for_scripts_and_files_at_once(driver: SSHDriver, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(os.urandom(3_000_000))
    running = asyncio.create_task(driver.run("sleep 1; echo end"))

    await driver.put({tmp_path / "source": str(tmp_path / "target")})

    assert not running.done()
    assert (await running).stdout == b"end\n"


async def test_a_time_out_is_survived_where_only_two_sessions_are_allowed(driver: SSHDriver, tmp_path: Path) -> None:
    (tmp_path / "source").write_text("content")
    await driver.put({tmp_path / "source": str(tmp_path / "target")})
    with pytest.raises(AnswerLostError):
        await driver.run("sleep 60", timeout=0.5)

    assert (await driver.run("echo next")).stdout == b"next\n"


async def test_a_server_that_allows_one_session_only_is_said_to(
    start_server: StartServer, client: str, open_driver: OpenDriver, tmp_path: Path
) -> None:
    server = start_server(MaxSessions="1")
    driver = open_driver(server.settings(client=client))
    await driver.run("true")
    (tmp_path / "source").write_text("content")

    with pytest.raises(TransportError, match="MaxSessions"):
        await driver.put({tmp_path / "source": str(tmp_path / "target")})
    assert (await driver.run("echo on")).stdout == b"on\n"


async def test_a_shell_that_cannot_be_had_is_reported_with_the_servers_words(
    start_server: StartServer, client: str, open_driver: OpenDriver
) -> None:
    server = start_server(ForceCommand="echo This account is currently not available.; exit 1")
    driver = open_driver(server.settings(client=client))

    with pytest.raises(TransportError, match="This account is currently not available"):
        await driver.run("true")


async def test_two_drivers_of_one_place_share_a_connection(
    start_server: StartServer, client: str, open_driver: OpenDriver
) -> None:
    server = start_server()
    first = open_driver(server.settings(client=client, name="slurm"))
    second = open_driver(server.settings(client=client, name="gpu", timeout=30.0, keepalive=7.0))
    await asyncio.gather(first.run("true"), second.run("true"))

    assert (server.logins(), server.sessions()) == (1, 1)


async def test_two_names_of_one_place_share_a_connection(start_server: StartServer, open_driver: OpenDriver) -> None:
    server = start_server()
    first = open_driver(server.settings())
    second = open_driver(server.settings(port=server.port, username=first.where.partition("@")[0]))
    await asyncio.gather(first.run("true"), second.run("true"))

    assert server.logins() == 1


async def test_a_shared_connection_lives_until_its_last_driver_is_closed(
    start_server: StartServer, client: str, open_driver: OpenDriver
) -> None:
    server = start_server()
    first = open_driver(server.settings(client=client))
    second = open_driver(server.settings(client=client))
    await first.run("true")
    await first.aclose()

    assert (await second.run("echo still here")).stdout == b"still here\n"
    assert server.logins() == 1
    await second.aclose()
    await asyncio.to_thread(wait_until, lambda: server.sessions() == 0, "the end of the connection")


async def test_another_event_loop_may_use_the_same_connection(
    start_server: StartServer, client: str, open_driver: OpenDriver
) -> None:
    server = start_server()
    driver = open_driver(server.settings(client=client))
    await driver.run("true")

    done = await asyncio.to_thread(lambda: asyncio.run(driver.run("echo from another loop")))

    assert done.stdout == b"from another loop\n"
    assert server.logins() == 1


async def test_closing_ends_a_call_under_way(
    server: Server, client: str, open_driver: OpenDriver, tmp_path: Path
) -> None:
    driver = open_driver(server.settings(client=client))
    call = asyncio.create_task(driver.run(f"touch {tmp_path}/begun; sleep 30"))
    await asyncio.to_thread(wait_until, (tmp_path / "begun").exists, "the call")
    waiting = asyncio.create_task(driver.run("true"))
    await asyncio.sleep(0)

    async with asyncio.timeout(5):
        await driver.aclose()

    with pytest.raises(AnswerLostError):
        await call
    with pytest.raises(TransportError, match="the connection has been closed"):
        await waiting


async def test_closing_ends_a_try_to_connect(client: str, open_driver: OpenDriver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        driver = open_driver(SSHSettings(host="127.0.0.1", port=port, client=client, ssh_config="none", timeout=30))
        call = asyncio.create_task(driver.run("true"))
        silent.settimeout(10)
        connection, _ = await asyncio.to_thread(silent.accept)
        with connection:
            async with asyncio.timeout(5):
                await driver.aclose()

    with pytest.raises(TransportError):
        await call


async def test_a_closed_driver_refuses_calls(driver: SSHDriver) -> None:
    await driver.aclose()

    with pytest.raises(TransportError, match="closed"):
        await driver.run("true")


async def test_closing_leaves_no_threads_processes_and_descriptors(
    server: Server, client: str, open_driver: OpenDriver, tmp_path: Path
) -> None:
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    others = set(children(os.getpid()))  # the services of other tests
    driver = open_driver(server.settings(client=client))
    (tmp_path / "source").write_text("content")
    await driver.put({tmp_path / "source": str(tmp_path / "target")})
    await driver.run("true")
    with pytest.raises(AnswerLostError):
        await driver.run("sleep 20", timeout=0.3)
    await driver.aclose()

    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == (threads, descriptors)
    assert set(children(os.getpid())) <= others


async def test_ctrl_c_at_the_terminal_does_not_reach_ssh(server: Server, open_driver: OpenDriver) -> None:
    driver = open_driver(server.settings(client="openssh"))
    await driver.run("true")

    ssh = [pid for pid in children(os.getpid()) if command(pid) == "ssh"]
    assert ssh
    assert all(os.getpgid(pid) != os.getpgid(0) for pid in ssh)


async def test_our_master_ends_by_itself_when_we_are_killed(server: Server) -> None:
    """ControlPersist: it outlives its last session by some seconds only."""
    settings = server.settings(client="openssh")
    code = (
        "import asyncio, os, signal\n"
        "from crankshaft_core.drivers.ssh import SSHDriver, SSHSettings, openssh\n"
        "openssh.PERSISTS = '2'\n"
        "async def main():\n"
        f"    driver = SSHDriver(SSHSettings(host='login', ssh_config={settings.ssh_config!r}, client='openssh'))\n"
        "    await driver.run('true')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    await asyncio.to_thread(wait_until, lambda: server.sessions() == 0, "the end of other tests' connections")
    folder = tempfile.TemporaryDirectory()  # tmp_path is too long for a socket
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, env={**os.environ, "TMPDIR": folder.name}
    )
    await process.wait()

    assert server.sessions() == 1
    await asyncio.to_thread(wait_until, lambda: server.sessions() == 0, "the end of the master")
    folder.cleanup()
