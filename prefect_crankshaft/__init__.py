"""Prefect's task runner for Crankshaft: each task of a flow runs on a backend of Crankshaft.toml.

@flow(task_runner=CrankshaftTaskRunner("hpc"))
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prefect_crankshaft.options import crankshaft_options
    from prefect_crankshaft.runner import CrankshaftTaskRunner

__all__ = ["CrankshaftTaskRunner", "crankshaft_options"]

_HOMES = {"CrankshaftTaskRunner": "prefect_crankshaft.runner", "crankshaft_options": "prefect_crankshaft.options"}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: Prefect imports every collection at its start."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
