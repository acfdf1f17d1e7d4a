"""The patterns of ssh_config(5) and of known_hosts: `*` and `?`, lists of them, and `!` in front of some."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate

__all__ = ["matches"]


def matches(name: str, patterns: Iterable[str]) -> bool:
    """One pattern matches, and no negated one does. Case does not count, as in host names."""
    matched = False
    for pattern in patterns:
        if re.fullmatch(_regex(pattern.removeprefix("!")), name.lower()):
            if pattern.startswith("!"):
                return False
            matched = True
    return matched


def _regex(pattern: str) -> str:
    return translate(pattern.lower().replace("[", "[[]"))  # a bracket is itself here: "[host]:2222"
