"""What a configured backend takes of a rule's resources."""

from __future__ import annotations

import re

from crankshaft_core.config import BackendConfig, GenericConfig
from snakemake_executor_crankshaft.resources import NAMES, Place

__all__ = ["place_of"]

_PLACEHOLDER = re.compile(r"~\{\s*([a-z_][a-z0-9_]*)")

_DIALECTS = {
    "slurm": "slurm",
    "sbatch": "slurm",
    "lsf": "lsf",
    "bsub": "lsf",
    "sge": "sge",
    "pbs": "pbs",
    "torque": "pbs",
}
"""Presets and submit commands. `qsub` alone may be SGE's or PBS's."""


def place_of(backend: BackendConfig) -> Place:
    """The backend, as far as a rule's resources go.

    It takes the attributes that its submit template uses, and those its own configuration sets.
    """
    takes = set(backend.attributes)
    dialect = None
    if isinstance(backend, GenericConfig):
        takes.update(_PLACEHOLDER.findall(backend.submit))
        dialect = _dialect(backend)
    return Place(backend.name, frozenset(takes & NAMES), dialect, backend.defaults)


def _dialect(backend: GenericConfig) -> str | None:
    command = backend.submit.split(maxsplit=1)[0].rpartition("/")[2]
    return _DIALECTS.get(backend.preset or "") or _DIALECTS.get(command)
