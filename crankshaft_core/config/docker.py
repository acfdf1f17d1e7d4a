"""The fields of a Docker (or Swarm, or Podman) backend."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from crankshaft_core.config.common import CommonConfig
from crankshaft_core.config.fields import StrictTable, Texts

__all__ = ["DockerConfig", "Mount"]


def _absolute(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError(f"{path!r} is not an absolute path")
    return path


class Mount(StrictTable):
    """A path of the machine the containers run on, as they see it. Written `"source:target[:ro]"` or as a table."""

    source: Annotated[str, Field(min_length=1)]
    """A path there, or the name of a volume."""
    target: Annotated[str, AfterValidator(_absolute)]
    """An absolute path in the container."""
    read_only: bool = False
    """Containers cannot write to it."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        source, _, rest = value.partition(":")
        target, _, mode = rest.partition(":")
        if not target or mode not in {"", "ro", "rw"}:
            raise ValueError(f"{value!r} is not a mount; write 'source:target' or 'source:target:ro'")
        return {"source": source, "target": target, "read_only": mode == "ro"}


class DockerConfig(CommonConfig):
    """Containers of a Docker engine, services of a Swarm, or Podman behind its Docker-compatible socket."""

    kind: Literal["Docker"] = "Docker"
    """`"Docker"`."""
    host: str | None = None
    """Address of the engine (`unix://…`, `tcp://…`, `ssh://…`); else DOCKER_HOST or the usual socket."""
    image: str | None = None
    """The image of tasks that name none."""
    files: Literal["auto", "mount", "copy"] = "auto"
    """How files reach containers: `"mount"` from this machine, `"copy"` through the engine; `"auto"`: mounted where
    the engine is on a socket of this machine."""
    cleanup: bool = True
    """Remove containers and services when their outcome is known."""
    pull: Literal["missing", "always", "never"] = "missing"
    """When images are pulled: `"missing"`, `"always"` or `"never"`."""
    user: str | None = None
    """`uid[:gid]` or a name; else the caller's, so that the files are the caller's. `"image"`: the image's own.
    Users by number, but root, have HOME=/tmp and their login name as USER, unless `env` says otherwise."""
    mounts: tuple[Mount, ...] = ()
    """More bind mounts: `"source:target[:ro]"`, or tables of source, target, read_only."""
    platform: str | None = None
    """Platform of the images (`linux/amd64`)."""
    network: str | None = None
    """Network that the containers join."""
    userns: str | None = None
    """User namespace mode; else the one fit for the engine."""
    swarm: Literal["auto", True, False] = "auto"
    """Run tasks as Swarm services: `"auto"` where the engine is a manager, `true` always, `false` never."""
    constraints: Texts = ()
    """Placement constraints of services (`node.labels.disk == ssd`)."""
