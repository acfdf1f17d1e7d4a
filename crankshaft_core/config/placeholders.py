"""What can be told of command templates before there is a task: names that nothing will fill, and units gone wrong."""

from __future__ import annotations

import re
from collections.abc import Collection

from crankshaft_core.config.spelling import did_you_mean, nearest

__all__ = ["OPTIONAL", "PLACEHOLDERS", "TEMPLATES", "memory_mistake", "unknown_placeholders"]

TEMPLATES = ("submit", "monitor", "monitor_all", "kill", "diagnose")
"""The fields of a Generic backend that are templates."""

PLACEHOLDERS = frozenset(
    {
        "account",
        "comment",
        "command",
        "cpu",
        "cwd",
        "disk",
        "disk_mb",
        "extra_args",
        "gpu",
        "image",
        "job_id",
        "job_ids",
        "job_name",
        "preemptible",
        "queue",
        "ram",
        "ram_mb",
        "ram_mb_per_cpu",
        "vmem_mb_per_cpu",
        "script",
        "task_dir",
        "time_min",
        "time_s",
        "time_s_minus_60",
    }
)
"""The names that have a meaning in every template (DESIGN, Templates)."""

OPTIONAL = frozenset(["clusters", "constraint", "gres", "nodes", "pe", "qos", "reservation"])
"""Attributes that templates may ask for although nobody has set them."""

_NAME = re.compile(r"(?<!\\)~\{([A-Za-z_][\w.-]*)(?:>\d+)?(\??)")
_RAM_IN_MIB = re.compile(r"(\S*)~\{(ram_mb(?:_per_cpu)?|vmem_mb_per_cpu)\}([GgTt])(i?[Bb])?(?![A-Za-z0-9])")


def unknown_placeholders(template: str, attributes: Collection[str]) -> list[str]:
    """A message for each name that neither Crankshaft nor the backend's attributes fill.

    What stands in `~{name?…}` may be an attribute that only tasks set, unless it looks like a misspelling.
    """
    found = [(match[1], bool(match[2])) for match in _NAME.finditer(template)]
    guarded = {name for name, conditional in found if conditional}
    known = PLACEHOLDERS | OPTIONAL | set(attributes)
    unknown = dict.fromkeys(name for name, _ in found if name not in known)
    messages = {name: did_you_mean(f"~{{{name}}}", [f"~{{{other}}}" for other in known]) for name in unknown}
    return [
        f"no placeholder is called ~{{{name}}}{message or '; a name of your own needs an entry in attributes'}"
        for name, message in messages.items()
        if name not in guarded or nearest(name, known)
    ]


def memory_mistake(template: str) -> str | None:
    """`ram_mb` is MiB: with a G after it, a task gets 1024 times the memory. The message shows the fix."""
    found = _RAM_IN_MIB.search(template)
    if found is None:
        return None
    flag, name, letter, rest = found.groups(default="")
    return (
        f"~{{{name}}}{letter}{rest} asks for far too much memory: ~{{{name}}} is MiB, "
        f"so 8 GiB becomes 8192{letter}{rest}; write {flag}~{{{name}}}{'M' if letter.isupper() else 'm'}{rest}"
    )
