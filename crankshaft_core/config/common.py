"""The fields that every kind of backend has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from crankshaft_core.config.environment import Environment, EnvironmentField
from crankshaft_core.config.fields import Attributes, Interval, Span, StrictTable, cores, one_as_many
from crankshaft_core.config.shapes import is_table
from crankshaft_core.task import Resources, Verdict

__all__ = ["ALIASES", "CommonConfig", "Retry", "rename"]

ALIASES: Mapping[tuple[str, ...], Mapping[str, str]] = {
    (): {"monitor_frequency": "poll_interval", "interval": "poll_interval"},
    ("http",): {"max_concurrency": "max_connections"},
}
"""By the table they stand in: names that other Crankshafts write, and the fields they mean here."""


def rename(value: object, *, table: tuple[str, ...] = ()) -> object:
    """The table with the names of ALIASES replaced by those of fields. Anything else is left as it is."""
    if not is_table(value):
        return value
    names = ALIASES[table]
    return {names.get(key, key): item for key, item in value.items()}


class Retry(StrictTable):
    """Which attempts the engine itself tries again. By default none: retries are the framework's."""

    attempts: Annotated[int, Field(ge=1)] = 1
    """How many times a task may be tried in all."""
    on: Annotated[tuple[Verdict, ...], BeforeValidator(one_as_many)] = (Verdict.PREEMPTED, Verdict.NODE_FAILURE)
    """The verdicts that earn another attempt."""

    @field_validator("on")
    @classmethod
    def _not_ok(cls, value: tuple[Verdict, ...]) -> tuple[Verdict, ...]:
        if Verdict.OK in value:
            raise ValueError("'ok' is no reason to try again")
        return value


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", text):
        raise ValueError(f"{text!r} cannot be a name; use up to 64 letters, digits, '_', '-' and '.'")
    return text


class CommonConfig(StrictTable):
    """What every kind of backend is told. None: the kind's own choice."""

    name: Annotated[str, AfterValidator(_name)]
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
    env: EnvironmentField = Environment()
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
        return rename(value)
