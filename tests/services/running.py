"""Real services for tests, started by the scripts beside this file when a test first wants one.

What `env` of a script prints arrives here as typed values. Each run of tests has services of its own, which
`Services.close` stops. With CRANKSHAFT_TEST_SERVICES set, those that run in that directory are used, and left running.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

UNAVAILABLE = 69  # sysexits.h: EX_UNAVAILABLE
START_TIMEOUT = 120.0  # seconds


class UnavailableError(Exception):
    """This machine cannot have the service. The text says why, and how to get it."""


@dataclass(frozen=True, slots=True)
class Daemons:
    """The processes of one service, for tests that stop, hang or restart them."""

    script: Path
    base: Path
    """Where the state of all services of this run is."""

    def pid(self, daemon: str) -> int:
        """Of a daemon that runs."""
        return int(_run(self.script, self.base, "pid", daemon))

    def stop(self, daemon: str) -> None:
        """End one daemon and wait for it to be gone. The state stays."""
        _run(self.script, self.base, "stop", daemon)

    def up(self) -> None:
        """Start whatever of it does not run."""
        _run(self.script, self.base, "up")


@dataclass(frozen=True, slots=True)
class Slurm:
    """One node of 16 CPUs and 16000 MB.

    Partitions `normal` and `prio` (which preempts), account `acct`, QOS `tiny` (five jobs submitted, two running).
    """

    conf: Path
    user: str
    """Whose jobs they are, when the test runs as root."""
    accounting: bool
    cgroups: bool
    """Jobs are held to their memory by the kernel."""
    daemons: Daemons
    """munged, mariadb, slurmdbd, slurmctld, slurmd."""

    @property
    def env(self) -> dict[str, str]:
        """What its commands need in their environment."""
        return {"SLURM_CONF": str(self.conf)}


@dataclass(frozen=True, slots=True)
class GridEngine:
    """One node of 16 slots; queue `all.q`, parallel environment `smp`."""

    env: Mapping[str, str]
    """What its commands need in their environment."""
    user: str
    daemons: Daemons
    """qmaster, execd."""


@dataclass(frozen=True, slots=True)
class Sshd:
    """A login by key, which finds the Slurm and the Grid Engine of the same tests."""

    host: str
    port: int
    user: str
    key: Path
    known_hosts: Path
    ssh_config: Path
    """Knows this server as `login.slurm.cluster`."""
    daemons: Daemons


@dataclass(frozen=True, slots=True)
class ContainerEngine:
    """A Docker-compatible engine with the image `busybox:local`, and no network for its containers."""

    url: str
    daemons: Daemons

    @property
    def env(self) -> dict[str, str]:
        """What a client needs in its environment."""
        return {"DOCKER_HOST": self.url}


class Services:
    """Starts services, and stops those that it started."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._given = os.environ.get("CRANKSHAFT_TEST_SERVICES")
        self._base: Path | None = None
        self._ours: list[Path] = []

    def slurm(self) -> Slurm:
        daemons, env = self._up("slurm")
        return Slurm(
            conf=Path(env["SLURM_CONF"]),
            user=env["USER"],
            accounting=env["ACCOUNTING"] == "yes",
            cgroups=env["CGROUPS"] == "yes",
            daemons=daemons,
        )

    def sge(self) -> GridEngine:
        daemons, env = self._up("sge")
        user = env.pop("USER")
        return GridEngine(env, user, daemons)

    def sshd(self) -> Sshd:
        daemons, env = self._up("sshd")
        return Sshd(
            host=env["HOST"],
            port=int(env["PORT"]),
            user=env["USER"],
            key=Path(env["KEY"]),
            known_hosts=Path(env["KNOWN_HOSTS"]),
            ssh_config=Path(env["SSH_CONFIG"]),
            daemons=daemons,
        )

    def engine(self, name: str) -> ContainerEngine:
        """`docker`, `swarm` (a second engine, the manager of a swarm of one) or `podman`."""
        daemons, env = self._up(name)
        return ContainerEngine(env["DOCKER_HOST"], daemons)

    def close(self) -> None:
        """Stop what was started here, the last first; one that does not stop is no reason to leave the others."""
        base = self._base
        if base is None:
            return
        with ExitStack() as stops:
            if not self._given:
                stops.callback(shutil.rmtree, base, ignore_errors=True)  # mostly gone with the last service
            for script in self._ours:
                stops.callback(_run, script, base, "down")
        self._ours.clear()
        self._base = None

    def _up(self, name: str) -> tuple[Daemons, dict[str, str]]:
        script = self._directory / name
        base = self._base = self._base or self._make_base()
        if not _is_running(script, base):
            self._start(script, base)
        lines = _run(script, base, "env").splitlines()
        return Daemons(script, base), dict(line.split("=", 1) for line in lines)

    def _start(self, script: Path, base: Path) -> None:
        self._ours.append(script)
        try:
            _run(script, base, "up")
        except UnavailableError:
            self._ours.pop()  # nothing of it was started
            raise

    def _make_base(self) -> Path:
        if self._given:
            # of the processes of `pytest -n` each has its own
            base = Path(self._given, os.environ.get("PYTEST_XDIST_WORKER", ""))
            base.mkdir(mode=0o755, exist_ok=True)
            return base
        base = Path(tempfile.mkdtemp(prefix="crankshaft-services-"))
        base.chmod(0o755)  # jobs and logins of another user pass through it
        return base


def _is_running(script: Path, base: Path) -> bool:
    return _call(script, base, "status").returncode == 0


def _run(script: Path, base: Path, *arguments: str) -> str:
    done = _call(script, base, *arguments)
    if done.returncode == UNAVAILABLE:
        raise UnavailableError(done.stderr.strip())
    if done.returncode != 0:
        raise RuntimeError(f"{script.name} {' '.join(arguments)}: exit code {done.returncode}\n{done.stderr}")
    return done.stdout


def _call(script: Path, base: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [script, *arguments],
        env={**os.environ, "CRANKSHAFT_TEST_SERVICES": str(base)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_TIMEOUT,
        check=False,
    )
