"""The installed command, run as a person runs it: in a directory and a home of its own."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import pytest

CRANKSHAFT = Path(sys.executable).with_name("crankshaft")


@dataclass
class Command:
    """`crankshaft`, with nothing of this user's around it."""

    home: Path
    cwd: Path
    env: dict[str, str] = field(default_factory=dict)
    started: list[subprocess.Popen] = field(default_factory=list)

    def environ(self):
        dirs = {f"XDG_{name}_HOME": str(self.home / name.lower()) for name in ("CONFIG", "STATE", "DATA", "CACHE")}
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), **dirs, **self.env}

    def run(self, *argv, stdin=b"", timeout=60):
        """Run it to its end; output as bytes."""
        surroundings = {"cwd": self.cwd, "env": self.environ()}
        return subprocess.run(
            [CRANKSHAFT, *argv], input=stdin, capture_output=True, timeout=timeout, check=False, **surroundings
        )

    def start(self, *argv, **options):
        """Start it, its output in pipes unless `options` say otherwise."""
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        process = subprocess.Popen([CRANKSHAFT, *argv], cwd=self.cwd, env=self.environ(), **streams)
        self.started.append(process)
        return process

    def config(self, text, name="Crankshaft.toml"):
        (self.cwd / name).write_text(text, encoding="utf-8")

    def tasks(self, *lines):
        """A tasks file, and its name."""
        (self.cwd / "T.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return "T.jsonl"

    def submitted(self):
        """Whether anything was handed over: the local backend has a directory for each task."""
        return any(self.cwd.glob(".crankshaft/*/tasks/*"))


@pytest.fixture
def crankshaft(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    command = Command(tmp_path / "home", tmp_path / "work")
    yield command
    for process in command.started:
        if process.poll() is None:
            process.kill()
        process.communicate()


class Marker:
    """A word that the command line or environment of every process of a test carries."""

    def __init__(self):
        self.word = f"ck-{uuid.uuid4().hex}"

    def pids(self):
        """The processes that carry it, other than the client and ourselves."""
        return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and self._is_one(path)]

    def _is_one(self, path):
        with contextlib.suppress(OSError):
            command = (path / "cmdline").read_bytes()
            if str(CRANKSHAFT).encode() in command or not command:
                return False
            return self.word.encode() in command + (path / "environ").read_bytes()
        return False

    def gone(self):
        """No process carries it. A moment is allowed for the kernel to carry a SIGKILL out."""
        return _until(lambda: not self.pids(), within=1.0)


@pytest.fixture
def marker():
    marker = Marker()
    yield marker
    for pid in marker.pids():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _until(condition, *, within=20.0):
    """True as soon as `condition` holds; False if it does not in `within` seconds."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def until():
    return _until
