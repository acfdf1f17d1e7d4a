"""What an engine is, as far as it changes what is asked of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal

from crankshaft_core.backends.docker.answers import Json, part, parts, texts
from crankshaft_core.config.docker import DockerConfig
from crankshaft_core.errors import SubmitError

__all__ = ["Facts", "read_facts", "uses_services"]


@dataclass(frozen=True, slots=True)
class Facts:
    """One engine, seen from here."""

    name: str
    """The host name of its machine."""
    version: str = ""
    podman: bool = False
    rootless: bool = False
    binds: bool = True
    """Paths of this machine can be mounted into its containers."""
    init: bool = False
    """It can put a small init in front of the command, which then dies of TERM as it would anywhere else. As process 1
    the kernel spares a command every signal it has no handler for (pid_namespaces(7))."""
    swarm: Literal["none", "worker", "manager"] = "none"
    node: str = ""
    """Its id in the Swarm."""

    def user(self, configured: str | None) -> str | None:
        """Who runs in the containers; None: whom the image names.

        Where root in a container is the caller outside (rootless Docker), that is who makes files the caller's.
        """
        if configured == "image":
            return None
        if configured is not None:
            return configured
        if self.rootless and not self.podman:
            return "0:0"
        return f"{os.getuid()}:{os.getgid()}"

    def userns(self, configured: str | None) -> str | None:
        """The user namespace mode: with rootless Podman the caller's ids stay the same inside."""
        return configured or ("keep-id" if self.rootless and self.podman else None)

    @property
    def log_config(self) -> dict[str, Any]:
        """A log that is whole and exact. `json-file` replaces what is not UTF-8, and may be capped by the engine."""
        if self.podman:
            return {"Type": "k8s-file", "Config": {}}
        return {"Type": "local", "Config": {"max-size": "1048576g", "max-file": "1", "compress": "false"}}


def read_facts(info: Json, version: Json, *, address: str, files: str) -> Facts:
    """From the answers to `/info` and `/version`; `files` is the configuration's."""
    components = [str(item.get("Name", "")) for item in parts(version, "Components")]
    security = texts(info, "SecurityOptions")
    swarm = part(info, "Swarm")
    member = swarm.get("LocalNodeState") not in (None, "", "inactive")
    podman = "Podman Engine" in components
    return Facts(
        name=str(info.get("Name", "")),
        version=str(info.get("ServerVersion", "")),
        podman=podman,
        # Docker lists its init only when it is there; Podman does not tell
        init=podman or "docker-init" in components,
        rootless="name=rootless" in security or info.get("Rootless") is True,  # the latter is Podman's way
        binds=files == "mount" or (files == "auto" and address.startswith(("unix:", "/", "npipe:"))),
        swarm=("manager" if swarm.get("ControlAvailable") else "worker") if member else "none",
        node=str(swarm.get("NodeID", "")),
    )


def uses_services(facts: Facts, config: DockerConfig) -> bool:
    """Whether tasks become Swarm services. Raises SubmitError where they should and cannot."""
    if config.swarm is False or (config.swarm == "auto" and facts.swarm == "none"):
        return False
    if facts.swarm == "worker":
        raise SubmitError(
            f"{config.name}: {facts.name} is only a worker of its Swarm and cannot start services; "
            "set `host` to a manager (`docker node ls` there lists them), or swarm = false to use its containers"
        )
    if facts.swarm == "none":
        raise SubmitError(
            f"{config.name}: swarm = true, but {facts.name} is in no Swarm; `docker swarm init` makes one"
        )
    return True
