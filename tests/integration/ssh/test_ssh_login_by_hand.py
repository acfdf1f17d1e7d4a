"""`crankshaft login`: a person answers once, and runs of other processes find the connection."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import had
from tests.integration.ssh.asking_server import AskingServer, asking
from tests.integration.ssh.server import make_key, public

CRANKSHAFT = str(Path(sys.executable).with_name("crankshaft"))
Crankshaft = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def host_key(tmp_path: Path) -> Path:
    return had(lambda: make_key(tmp_path / "host_key"))


@pytest.fixture
def server(host_key: Path) -> Iterator[AskingServer]:
    with asking(host_key, methods="keyboard-interactive", password="right") as server:
        yield server


@pytest.fixture
def crankshaft(server: AskingServer, host_key: Path, tmp_path: Path) -> Iterator[Crankshaft]:
    """The command, in a home of its own, with a backend `hpc` at the server that asks."""
    (tmp_path / "Crankshaft.toml").write_text(f"""
[[backends]]
name = "hpc"
kind = "Generic"
submit = "~{{command}}"
work_dir = "{tmp_path}/jobs"
[backends.locale]
kind = "SSH"
client = "openssh"
host = "127.0.0.1"
port = {server.port}
ssh_config = "none"
host_key = "{public(host_key)}"
""")
    env = {**os.environ, "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}

    def run(*words: str, stdin: int = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [CRANKSHAFT, *words],
            cwd=tmp_path,
            env=env,
            stdin=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    yield run
    run("login", "--end", "hpc")


def at_a_terminal(answer: str, words: list[str], env: dict[str, str], cwd: Path) -> tuple[int, str]:
    """Run the command with a terminal of its own, and type the answer whenever it is asked for something."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        os.execve(words[0], words, env)
    said = b""
    typed = 0
    while True:
        try:
            piece = os.read(terminal, 1024)
        except OSError:  # Linux: everybody has closed the other end
            break
        if not piece:
            break
        said += piece
        if said.count(b"assword:") > typed:
            os.write(terminal, answer.encode() + b"\n")
            typed += 1
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), said.decode()


def logged_in(answer: str, tmp_path: Path) -> tuple[int, str]:
    return at_a_terminal(answer, [CRANKSHAFT, "login", "hpc"], {**os.environ, "HOME": str(tmp_path)}, tmp_path)


def test_a_person_answers_once_and_runs_use_the_connection(
    crankshaft: Crankshaft, server: AskingServer, tmp_path: Path
) -> None:
    code, said = logged_in("right", tmp_path)
    assert code == 0, said
    assert "hpc: connected" in said
    ran = [crankshaft("run", "--backend", "hpc", "-q", "-c", "echo there") for _ in range(2)]
    assert [(done.stdout, done.stderr, done.returncode) for done in ran] == [("there\n", "", 0)] * 2
    assert server.passwords == ["right"]


def test_before_that_a_run_says_what_to_type(crankshaft: Crankshaft) -> None:
    done = crankshaft("run", "--backend", "hpc", "-c", "echo there")
    assert done.returncode == 125
    assert done.stderr == "crankshaft: hpc: one-time code needed. In another terminal: crankshaft login hpc\n"


def test_a_wrong_answer_opens_nothing(crankshaft: Crankshaft, tmp_path: Path) -> None:
    code, said = logged_in("wrong", tmp_path)
    assert code == 1
    assert "hpc: no connection (ssh: exit code 255)" in said
    assert crankshaft("login", "--end", "hpc").stderr == "crankshaft: hpc: no connection is open\n"


@pytest.mark.parametrize(
    ("name", "locale", "said"),
    [
        ("local", "", 'local: there is nothing to log in to; only a backend with locale kind = "SSH" has that'),
        (
            "far",
            '[[backends]]\nname="far"\nkind="Generic"\npreset="slurm"\nlocale={kind="SSH", host="h"}\n',
            (
                'far: client = "paramiko" cannot use a connection that somebody else has opened; '
                'set client = "openssh" in its locale'
            ),
        ),
    ],
)
def test_where_there_is_nothing_to_open_it_says_why(tmp_path: Path, name: str, locale: str, said: str) -> None:
    (tmp_path / "Crankshaft.toml").write_text(locale)
    done = subprocess.run(
        [CRANKSHAFT, "login", name], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (2, f"crankshaft: {said}\n")
