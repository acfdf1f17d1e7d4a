"""What a command that was not found (exit code 127) has to do with the environment that was active here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from crankshaft_core.task import TaskResult
from snakemake_executor_crankshaft.given import Given

__all__ = ["not_found"]

_NAME = re.compile(r"(?m)^(?:.*: )?([^\s:]+): (?:command )?not found$")
"""In the words of bash, dash and busybox."""
_BY_INNER_RUN = "returned non-zero exit status 127"
_ENVIRONMENTS = {"CONDA_PREFIX": "Conda env", "VIRTUAL_ENV": "virtual env"}


def not_found(result: TaskResult, given: Given, caller: Mapping[str, str]) -> str | None:
    """One line on the command, and on what the job had of the `caller`'s environment; None if it is not about that."""
    named = _NAME.findall(result.stderr_tail)
    if not named or not (result.exit_code == 127 or _BY_INNER_RUN in result.stderr_tail):
        return None
    where = f"in image {given.image!r}" if given.image else f"on {result.node or result.backend}"
    return f"{named[-1]}: command not found {where} (exit 127). {_environment(given, caller, result.backend)}"


def _environment(given: Given, caller: Mapping[str, str], backend: str) -> str:
    if given.image:
        return "Jobs there have the image's own software, and nothing of what is active here."
    variable = next((name for name in _ENVIRONMENTS if caller.get(name)), None)
    if variable is None:
        return f"No environment was active here either; see `prologue` of backend {backend!r}."
    path = Path(caller[variable])
    name = f"{_ENVIRONMENTS[variable]} {path.name!r}"
    if given.variables >= {variable, "PATH"}:
        return f"{name} was active here, and passed there: is {path} there as well, and the command in it?"
    return f"{name} was active here, not passed there; see `env` and `prologue` of backend {backend!r}."
