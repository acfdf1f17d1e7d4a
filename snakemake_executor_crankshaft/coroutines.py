"""Running Snakemake's coroutines, in each version the way it does itself."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

__all__ = ["run_coroutine"]


def run_coroutine(workflow: Any, coroutine: Coroutine[Any, Any, object]) -> None:
    """Run it to its end. Since Snakemake 9.14.7 the workflow does; before, a function of its own did."""
    if hasattr(workflow, "async_run"):
        workflow.async_run(coroutine)
        return
    from snakemake import common

    earlier: Any = common
    earlier.async_run(coroutine)
