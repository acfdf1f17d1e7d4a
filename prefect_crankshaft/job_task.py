"""Calls to a task of the core: worker, payload and modules in; a result file out."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from crankshaft_core.staging import Reach
from crankshaft_core.task import Execution, Input, Output, Task
from prefect_crankshaft.payload import Call, payload_of
from prefect_crankshaft.request import Request
from prefect_crankshaft.sources import cloudpickle_zip, local_roots, sources_zip

__all__ = ["JobFiles", "interpreter", "job_task"]


@dataclass(frozen=True, slots=True)
class JobFiles:
    """Where the result is brought to, and by what key its records are told from forged ones."""

    result: Path
    key: bytes


def interpreter(request: Request, reach: Reach) -> str:
    """The worker's Python: the flow's own where the worker sees it."""
    own = reach.local_paths and request.image is None
    return request.python or (sys.executable if own else "python3")


def job_task(name: str, calls: Sequence[Call], request: Request, reach: Reach, files: JobFiles) -> Task:
    """One task that makes these calls, each apart from the others if they are several."""
    python = interpreter(request, reach)
    here = reach.local_paths and request.image is None
    zips = {} if python == sys.executable else {"cloudpickle.zip": cloudpickle_zip()}
    if not here and (sources := sources_zip()):
        zips["sources.zip"] = sources
    head: dict[str, object] = {
        "path": list(zips),
        "roots": local_roots() if here else [],
        "cwd": os.getcwd() if here else None,  # noqa: PTH109 - it is passed on as text
        "key": files.key,
        "isolate": len(calls) > 1,
    }
    contents = {"worker.py": _worker(), "payload": payload_of(calls, head), **zips}
    return Task(
        name=name,
        inputs=tuple(Input(path=path, content=content) for path, content in contents.items()),
        outputs=(Output(path="result", url=files.result.as_uri()),),
        executions=(
            Execution(
                image=request.image,
                program=python,
                args=("-I", "worker.py", "payload", "result"),
                env=dict(request.env),
            ),
        ),
        resources=request.resources,
        attributes=dict(request.attributes),
    )


@cache
def _worker() -> bytes:
    return (Path(__file__).with_name("worker") / "start.py").read_bytes()
