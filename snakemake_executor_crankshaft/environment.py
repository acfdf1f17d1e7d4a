"""Which environment variables a job gets."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from fnmatch import fnmatchcase

from crankshaft_core.config import Environment

__all__ = ["ACTIVE", "job_environment"]

ACTIVE = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "CONDA_PREFIX", "VIRTUAL_ENV")
"""What an activated environment consists of. On a shared file system it is there for the job as well, but a batch
system starts jobs without it (`sbatch --export=NONE`)."""


def job_environment(
    declared: Mapping[str, str],
    backend: Environment,
    caller: Mapping[str, str],
    *,
    shared: bool,
) -> dict[str, str]:
    """The `declared` variables (`envvars:`, `--envvars`), and those that the caller's environment passes on.

    `shared`: the software installed here is there too, under the same paths. The backend's `env` may say
    otherwise: its `allow` replaces the list above, its `deny` and its own values win over it.
    """
    patterns = tuple(backend.allow) if backend.allow is not None else (ACTIVE if shared else ())
    kept_back = (*backend.deny, *backend.values)
    passed = {
        name: value for name, value in caller.items() if _matches(name, patterns) and not _matches(name, kept_back)
    }
    return {**passed, **declared}


@functools.cache  # asked for every job, of the same few variables
def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
