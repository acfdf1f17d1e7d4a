"""Variables that every task gets by its user."""

from __future__ import annotations

import pwd

__all__ = ["account_env"]

_HOME = "/tmp"  # noqa: S108 - of the container, which the task has to itself


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
