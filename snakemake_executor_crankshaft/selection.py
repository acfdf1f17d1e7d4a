"""Snakemake selects jobs by solving an integer program, also when there is no room for any.

It asks itself again a second after each time it has started jobs, so with few `--jobs` and many that are ready half of
the programs are solved for nothing. On one machine it does not, since no core is free then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["spare_selections"]

_Select = Callable[[Sequence[Any], Sequence[Any], Mapping[str, Any], Mapping[Any, Any]], Sequence[Any] | None]


def spare_selections(scheduler: Any) -> None:
    """Have Snakemake's `scheduler` select nothing where all ready jobs need one of `--jobs`, and none is left."""
    select: _Select | None = getattr(scheduler, "_job_selector", None)
    if select is not None:
        scheduler._job_selector = _sparing(select)  # noqa: SLF001 - the only place where it can be had


def _sparing(select: _Select) -> _Select:
    def selected(
        jobs: Sequence[Any], remaining: Sequence[Any], resources: Mapping[str, Any], sizes: Mapping[Any, Any]
    ) -> Sequence[Any] | None:
        if resources.get("_nodes") == 0 and not any(job.is_local for job in jobs):
            return []
        return select(jobs, remaining, resources, sizes)

    return selected
