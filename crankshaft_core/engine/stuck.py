"""Jobs that wait and can never start: what was asked for, and what of it to change."""

from __future__ import annotations

import re
from collections.abc import Mapping

from crankshaft_core.task import Task

__all__ = ["never"]

_POINTS_TO: Mapping[str, tuple[str, ...]] = {
    "(?i)time|wall|runlimit": ("time",),
    "(?i)mem": ("ram",),
    "(?i)cpu|ncpus|slots": ("cpu",),
    "(?i)gres|gpu": ("gpu",),
    "(?i)nodelimit|partitionconfig|nodeconfig|resources": ("cpu", "ram", "gpu"),
    "(?i)qos": ("qos",),
    "(?i)account|assoc": ("account",),
    "(?i)constraint": ("constraint",),
    "(?i)partition|queue": ("queue",),
}
"""What a reason is about, by its words, as in Slurm's "JOB REASON CODES" (squeue(1)), PBS's comments and LSF's
pending reasons. Each request is named at most once, amounts before names."""

_AMOUNTS = ("time", "ram", "cpu", "gpu")


def never(reason: str, task: Task | None) -> str:
    """`QOSMaxWallDurationPerJobLimit (asked time 3 d). Cancelled; lower time or change qos`."""
    about = _about(reason)
    asked = _asked(task, about) if task is not None else {}
    lower = " or ".join(name for name in about if name in _AMOUNTS and name in asked)
    change = " or ".join(name for name in about if name not in _AMOUNTS)
    advice = " or ".join(filter(None, (lower and f"lower {lower}", change and f"change {change}")))
    told = ", ".join(f"{name} {value}" for name, value in asked.items())
    return f"{reason}{f' (asked {told})' if told else ''}. Cancelled{f'; {advice}' if advice else ''}"


def _about(reason: str) -> list[str]:
    found = (names for words, names in _POINTS_TO.items() if re.search(words, reason))
    return list(dict.fromkeys(name for names in found for name in names))


def _asked(task: Task, about: list[str]) -> dict[str, str]:
    """What the task asked for of these; all there is where the reason points to nothing."""
    wanted = task.resources
    everything: dict[str, str | None] = {
        "time": None if wanted.time is None else _span(wanted.time),
        "ram": None if wanted.ram is None else f"{wanted.ram:.4g} GiB",
        "cpu": None if wanted.cpu is None else f"{wanted.cpu:.4g}",
        "gpu": str(wanted.gpu) if wanted.gpu else None,
        **{name: task.attributes.get(name) for name in ("queue", "qos", "account", "constraint")},
    }
    return {name: value for name, value in everything.items() if value and (not about or name in about)}


def _span(seconds: float) -> str:
    """In the largest unit that says it exactly: 3 d, 90 min."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
