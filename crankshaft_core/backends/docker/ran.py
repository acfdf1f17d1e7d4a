"""One execution as the engine tells of it, whether it is a container or a Swarm task. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from crankshaft_core.backends.docker.answers import Json, part, parts
from crankshaft_core.backends.docker.layout import beneath
from crankshaft_core.backends.docker.refusals import exit_code_of, plain_words

__all__ = ["Ran", "from_container", "host_path", "nanoseconds", "seconds"]

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of one execution. Times are seconds since the epoch; None where they are not known."""

    name: str
    """Of the container or service."""
    labels: Mapping[str, str]
    started: bool
    ended: bool
    code: int | None = None
    oom: bool = False
    words: str = ""
    """What the engine says went wrong."""
    stuck: bool = False
    rejected: bool = False
    container: str | None = None
    """The container, where it is on the engine we speak to."""
    task: str | None = None
    """The Swarm task."""
    node: str | None = None
    work_dir: str = "/"
    limit: int | None = None
    """Bytes of memory it was held to."""
    drops_newlines: bool = False
    """Its log has to be mended."""
    binds: Sequence[tuple[str, str]] = field(default=())
    """(path in the container, path on the engine's machine) of every bind mount."""
    created_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None

    def refused(self, words: str) -> Ran:
        """The same, when the engine would not start it and said `words`."""
        return replace(self, started=True, ended=True, code=exit_code_of(words), words=words)

    def with_container(self, container: Ran) -> Ran:
        """A Swarm task, with what only its container knows."""
        code = self.code if container.code is None or not self.ended else container.code
        return replace(
            self,
            oom=container.oom,
            code=code,
            started_at=container.started_at,
            ended_at=container.ended_at or self.ended_at,
        )


def from_container(found: Json, node: str) -> Ran:
    """From the answer to "inspect a container"."""
    state, config, host = found["State"], found["Config"], found["HostConfig"]
    status = str(state["Status"])
    words = plain_words(str(state.get("Error") or ""))
    refused = status == "created" and bool(words)
    ended = refused or status in ("exited", "dead", "stopped")
    return Ran(
        name=str(found["Name"]).lstrip("/"),
        labels=part(config, "Labels"),
        started=refused or status != "created",
        ended=ended,
        code=(int(state["ExitCode"]) or exit_code_of(words)) if refused else int(state["ExitCode"]) if ended else None,
        oom=bool(state.get("OOMKilled")),
        words=words,
        container=str(found["Id"]),
        node=node,
        work_dir=config.get("WorkingDir") or "/",
        limit=host.get("Memory") or None,
        drops_newlines=part(host, "LogConfig").get("Type") == "local",
        binds=_binds(parts(found, "Mounts")),
        created_at=seconds(found.get("Created")),
        started_at=seconds(state.get("StartedAt")),
        ended_at=seconds(state.get("FinishedAt")),
    )


def host_path(path: str, binds: Sequence[tuple[str, str]]) -> Path | None:
    """Where a path of the container is on the engine's machine, if it is in a bind mount."""
    inside = [(target, source) for target, source in binds if beneath(path, target)]
    if not inside:
        return None
    target, source = max(inside, key=lambda bind: len(bind[0]))
    return Path(source) / path[len(target) :].lstrip("/")


def seconds(text: object) -> float | None:
    """Seconds since the epoch of an RFC 3339 time; None for none and for Docker's zero, which is in the year 1."""
    time = nanoseconds(str(text))
    return time / 1e9 if time > 0 else None


def nanoseconds(text: str) -> int:
    """Since the epoch, of an RFC 3339 time with any number of digits; below 0 for Docker's zero, and 0 for no time."""
    match = _TIME.fullmatch(text)
    if match is None:
        return 0
    whole = datetime.fromisoformat(match[1] + match[3].replace("Z", "+00:00")) - _EPOCH
    return int(whole.total_seconds()) * 10**9 + int((match[2] or ".")[1:].ljust(9, "0")[:9])


def _binds(mounts: Sequence[Json]) -> tuple[tuple[str, str], ...]:
    return tuple((str(item["Destination"]), str(item["Source"])) for item in mounts if item.get("Type") == "bind")
