"""Variables that every task gets: those of the configuration, and of its user."""

from __future__ import annotations

import pwd
from collections.abc import Mapping
from fnmatch import fnmatchcase

from crankshaft_core.config import Environment

__all__ = ["account_env", "configured_env"]

_HOME = "/tmp"  # noqa: S108 - of the container, which the task has to itself


def configured_env(environment: Environment, caller: Mapping[str, str]) -> dict[str, str]:
    """Those of the caller's that are passed on, and those that are set; a container gets no others by itself."""
    allowed = {
        name: value
        for name, value in caller.items()
        if _matches(name, environment.allow or ()) and not _matches(name, environment.deny)
    }
    return {**allowed, **environment.values}


def account_env(user: str | None) -> dict[str, str]:
    """HOME and USER for a `user` by number, whom images do not know: the engine would make `/` the home.

    Snakemake, matplotlib and many others write to the one, and ask for the other.
    """
    uid = (user or "").partition(":")[0]
    return {"HOME": _HOME, "USER": _login(int(uid))} if uid.isdigit() and int(uid) else {}


def _login(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
