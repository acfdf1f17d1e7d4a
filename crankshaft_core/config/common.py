"""The fields that every kind of backend has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from crankshaft_core.config.fields import Attributes, Interval, Span, Table, cores
from crankshaft_core.task import Resources, Verdict

__all__ = ["ALIASES", "CommonConfig", "Environment", "Retry"]

ALIASES: Mapping[str, str] = {
    "interval": "poll_interval",
    "max_concurrency": "max_connections",
    "monitor_frequency": "poll_interval",
}
"""Names that other Crankshafts write, and the fields they mean here."""


class Retry(Table):
    """Which attempts the engine itself tries again. By default none: retries are the framework's."""

    attempts: Annotated[int, Field(ge=1)] = 1
    """How many times a task may be tried in all."""
    on: tuple[Verdict, ...] = (Verdict.PREEMPTED, Verdict.NODE_FAILURE)
    """The verdicts that earn another attempt."""

    @field_validator("on", mode="before")
    @classmethod
    def _one_verdict(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("on")
    @classmethod
    def _not_ok(cls, value: tuple[Verdict, ...]) -> tuple[Verdict, ...]:
        if Verdict.OK in value:
            raise ValueError("'ok' is no reason to try again")
        return value


class Environment(Table):
    """What of the caller's environment reaches the tasks, and what is set there besides.

    Written as a list of names (`env = ["PATH", "LC_*"]`), or as a table of values in which `true` passes a
    variable on and `false` keeps it back (`env = { PATH = true, OMP_NUM_THREADS = "1" }`).
    """

    allow: tuple[str, ...] | None = None
    """Names, with `*` and `?`, of the variables passed on; None: what the adapter passes by itself."""
    deny: tuple[str, ...] = ()
    """Names of those kept back."""
    values: Mapping[str, str] = Field(default_factory=dict)
    """Set in every task; a task's own value wins."""

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: object) -> object:
        if isinstance(value, str):
            value = [value]
        if isinstance(value, (list, tuple)):
            return {"allow": tuple(value)}  # pyright: ignore[reportUnknownArgumentType] pydantic checks the types
        if isinstance(value, Mapping):
            return _from_table(value)  # pyright: ignore[reportUnknownArgumentType]
        return value

    @field_validator("allow")
    @classmethod
    def _names_only(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        bad = next((name for name in names or () if "=" in name or not name), None)
        if bad is not None:
            name, _, text = bad.partition("=")
            raise ValueError(f"{bad!r} is not the name of a variable; to set it, write env = {{ {name} = {text!r} }}")
        return names


def _from_table(table: Mapping[str, object]) -> dict[str, object]:
    if any(isinstance(value, (list, tuple, Mapping)) for value in table.values()):
        return dict(table)  # the long form: allow, deny, values
    allow = tuple(name for name, value in table.items() if value is True)
    return {
        "allow": allow or None,
        "deny": tuple(name for name, value in table.items() if value is False),
        "values": {name: _text(value) for name, value in table.items() if not isinstance(value, bool)},
    }


def _text(value: object) -> object:
    return str(value) if isinstance(value, (int, float)) else value


class CommonConfig(Table):
    """What every kind of backend is told. None: the kind's own choice."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]
    """What workflows call the backend."""
    max_tasks: Annotated[int, Field(ge=1)] = Field(default_factory=cores)
    """Tasks that may be there at once, queued or running, from all users of one process."""
    defaults: Resources = Resources()
    """What a task asks for where it says nothing itself."""
    attributes: Attributes = Field(default_factory=dict)
    """Names and texts for templates and backend parameters (qos, constraint, …); a task's own overlay them."""
    queue: str | None = None
    """Queue or partition."""
    account: str | None = None
    """Account or project that is charged."""
    env: Environment = Environment()
    """Variables: a list of names to pass on, or a table of values (`true` passes one on, `false` keeps it back)."""
    retry: Retry = Retry()
    """`{ attempts, on = [verdicts] }`: attempts beyond the first, made by the engine."""
    work_dir: str | None = None
    """Where the tasks' directories are; the workers must see it."""
    keep_dirs: bool = False
    """Keep the directories of tasks that succeeded."""
    poll_interval: Interval | None = None
    """Time between two polls while jobs end. Bare numbers are seconds. Also `monitor_frequency`, `interval`."""
    sweep_interval: Interval | None = None
    """Time between two queries that cost the system something. Bare numbers are seconds."""
    grace: Span | None = None
    """How long the system may not list a job before it is asked why."""
    kill_after: Span | None = None
    """From the first request to end a job to the forceful one."""
    cancel_timeout: Span | None = None
    """How long a cancellation may stay unconfirmed."""

    @model_validator(mode="before")
    @classmethod
    def _other_names(cls, value: object) -> object:
        return rename(value)  # pyright: ignore[reportUnknownArgumentType]


def rename(value: object) -> object:
    """The table with the names of ALIASES replaced by those of fields. Anything else is left as it is."""
    if not isinstance(value, Mapping):
        return value
    return {ALIASES.get(key, key): item for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType,reportCallIssue,reportArgumentType]
