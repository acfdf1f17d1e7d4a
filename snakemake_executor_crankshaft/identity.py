"""What makes a job the same one after Snakemake was started again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

from snakemake_executor_crankshaft.interface import Job, SingleJob, members_of

__all__ = ["Identity", "identity_of", "makes"]

_UNSTAMPED = ("ancient", "before_update", "pipe", "service")
"""Inputs whose time says nothing of the job."""
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
"""In the `repr` of an object, and another one in every process."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The journal's key for a job: what it makes, and from what, by which command."""

    makes: frozenset[str]
    """One digest for each output."""
    content: str
    """A digest of rule, wildcards, command, parameters, and the inputs with their times."""

    @property
    def key(self) -> str:
        """As it stands in the journal."""
        return f"{self.content}/{','.join(sorted(self.makes))}"

    @classmethod
    def of_key(cls, key: str) -> Self:
        """The identity that `key` was made of."""
        content, _, makes = key.partition("/")
        return cls(frozenset(makes.split(",")), content)


def identity_of(job: Job) -> Identity:
    """The identity of a job that is about to run: its inputs are there and its command can be known."""
    members = members_of(job)
    within = frozenset(str(file) for member in members for file in member.output)
    facts = sorted("\0".join(_facts(member, within)) for member in members)
    return Identity(makes(job), _digest("\1".join(facts)))


def makes(job: Job) -> frozenset[str]:
    """The digests of the job's outputs; a job without any is known by its rule and wildcards."""
    return frozenset(_digest(name) for member in members_of(job) for name in _names(member))


def _names(job: SingleJob) -> list[str]:
    return [str(file) for file in job.output] or [f"{job.rule.name}\0{_wildcards(job)}"]


def _facts(job: SingleJob, within: frozenset[str]) -> Iterator[str]:
    """All that Snakemake would run the job again for. `within`: files that its own group makes."""
    rule: Any = job.rule
    yield rule.name
    yield _wildcards(job)
    yield str(job.shellcmd or getattr(rule, "run_func_src", None) or "")
    yield from (str(text or "") for text in (rule.script, rule.notebook, rule.wrapper, rule.cwl))
    yield from sorted(str(file) for file in job.log)
    yield from _params(job.params)
    yield from (f"{file}\0{'' if str(file) in within else _stamp(file)}" for file in sorted(job.input))


def _wildcards(job: SingleJob) -> str:
    return repr(sorted(job.get_target_spec()[0].wildcards_dict.items()))


def _params(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        unordered = isinstance(value, (set, frozenset))
        yield _ADDRESS.sub("", repr(sorted(map(repr, cast("Any", value))) if unordered else value))


def _stamp(file: Any) -> str:
    """Time and size of an input; empty where they say nothing, or it is not here."""
    flags = getattr(file, "flags", {})
    if getattr(file, "is_storage", False) or any(name in flags for name in _UNSTAMPED):
        return ""
    marked = Path(file, ".snakemake_timestamp")  # what a directory's time is, for Snakemake
    try:
        found = (marked if marked.exists() else Path(file)).stat()
    except OSError:
        return ""
    return f"{found.st_mtime_ns} {found.st_size}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
