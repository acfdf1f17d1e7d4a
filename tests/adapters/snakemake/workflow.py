"""A real workflow in a directory of its own, run by the real command line."""

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

MARK = "CRANKSHAFT_TEST_MARK"


@dataclass
class Workflow:
    """A Snakefile, perhaps a Crankshaft.toml beside it, and the means to run them."""

    place: Path
    """Everything is in here: the working directory, and what else a user's home would hold."""
    name: str = "work"
    env: Mapping[str, str] = field(default_factory=dict)
    umask: int = -1
    """Of what is started; -1: this process's."""

    @property
    def dir(self) -> Path:
        return self.place / self.name

    def write(self, snakefile: str, config: str | None = None, **files: str) -> "Workflow":
        self.dir.mkdir(parents=True, exist_ok=True)
        (self.dir / "Snakefile").write_text(textwrap.dedent(snakefile))
        if config is not None:
            (self.dir / "Crankshaft.toml").write_text(textwrap.dedent(config))
        for name, text in files.items():
            (self.dir / name).write_text(text)
        return self

    def run(self, *args: str, timeout: float = 120, ok: bool | None = True) -> str:
        """Run the workflow to its end and return everything it said."""
        process = self.start(*args)
        said, _ = process.communicate(timeout=timeout)
        if ok is not None:
            assert (process.returncode == 0) is ok, said
        return said

    def start(self, *args: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "snakemake", "--executor", "crankshaft", *args]
        if "--jobs" not in args:
            command += ["--jobs", "2"]
        return subprocess.Popen(
            command,
            cwd=self.dir,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            umask=self.umask,
        )

    def environment(self) -> dict[str, str]:
        home = {name: str(self.place / "home") for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME")}
        caches = {
            "XDG_CACHE_HOME": str(self.place / "cache"),
            # where packages were installed without bytecode, every inner run would compile Snakemake anew
            "PYTHONPYCACHEPREFIX": str(self.place.parent / "pycache"),
            "PYTHONDONTWRITEBYTECODE": "",
        }
        return {**os.environ, **home, **caches, MARK: str(self.place), **self.env}

    def read(self, name: str) -> str:
        return (self.dir / name).read_text()

    def exists(self, name: str) -> bool:
        return (self.dir / name).exists()

    def processes(self) -> list[str]:
        """The command lines of every process that was started by or for this workflow and still is there."""
        mark = f"{MARK}={self.place}".encode()
        found = []
        for proc in Path("/proc").glob("[0-9]*"):
            try:
                mine = mark in (proc / "environ").read_bytes().split(b"\0")
                if mine and "\nState:\tZ" not in (proc / "status").read_text():
                    found.append((proc / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue  # it ended while we looked
        return found


def until(fact: Callable[[], object], *, timeout: float = 60) -> None:
    """Wait until it is so."""
    end = time.monotonic() + timeout
    while not fact():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.05)
