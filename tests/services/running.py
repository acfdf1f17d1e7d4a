"""Real services for tests, started by the scripts beside this file when a test first wants one.

`up` returns what the service's `env` prints, as typed values. A service that was running already is used, and left
running; one that was started here is stopped by `Services.close`.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

UNAVAILABLE = 69  # sysexits.h: EX_UNAVAILABLE
START_TIMEOUT = 120.0  # seconds


class UnavailableError(Exception):
    """This machine cannot have the service. The text says why, and how to get it."""


@dataclass(frozen=True, slots=True)
class Daemons:
    """The processes of one service, for tests that stop, hang or restart them."""

    script: Path

    def pid(self, daemon: str) -> int:
        """Of a daemon that runs."""
        return int(_run(self.script, "pid", daemon))

    def stop(self, daemon: str) -> None:
        """End one daemon and wait for it to be gone. The state stays."""
        _run(self.script, "stop", daemon)

    def up(self) -> None:
        """Start whatever of it does not run."""
        _run(self.script, "up")


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


@dataclass(slots=True)
class Services:
    """Starts services, and stops those that it started."""

    directory: Path
    _ours: list[Path] = field(default_factory=list[Path])

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
        with ExitStack() as stops:
            for script in self._ours:
                stops.callback(_run, script, "down")
            self._ours.clear()

    def _up(self, name: str) -> tuple[Daemons, dict[str, str]]:
        script = self.directory / name
        if not _is_running(script):
            self._ours.append(script)
            _run(script, "up")
        lines = _run(script, "env").splitlines()
        return Daemons(script), dict(line.split("=", 1) for line in lines)


def _is_running(script: Path) -> bool:
    return (
        subprocess.run([script, "status"], stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0
    )


def _run(script: Path, *arguments: str) -> str:
    done = subprocess.run(
        [script, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_TIMEOUT,
        check=False,
    )
    if done.returncode == UNAVAILABLE:
        raise UnavailableError(done.stderr.strip())
    if done.returncode != 0:
        raise RuntimeError(f"{script.name} {' '.join(arguments)}: exit code {done.returncode}\n{done.stderr}")
    return done.stdout
