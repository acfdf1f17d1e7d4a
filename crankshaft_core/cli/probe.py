"""A job that does nothing but come back: whether workers share the work directory, and what their clocks say."""

from __future__ import annotations

import asyncio
import time

from crankshaft_core.backends.clocks import ahead, disagreement
from crankshaft_core.config import Config, GenericConfig
from crankshaft_core.engine import Engine
from crankshaft_core.errors import BackendError
from crankshaft_core.task import Execution, Task, TaskResult

__all__ = ["probe"]

_PATIENCE = 300.0
"""Seconds for the job to wait in the queue and to run."""


async def probe(engine: Engine, config: Config, name: str) -> tuple[list[str], list[str]]:
    """What is worth knowing of the job, and what is wrong. Only where a command runs without an image."""
    if not isinstance(config.choose(name), GenericConfig):
        return ["no probe: it would need an image"], []
    submitted = time.time()
    task = Task(name="check", executions=(Execution(command="exit 0"),))
    try:
        async with asyncio.timeout(_PATIENCE):
            result = await engine.run(name, task)
    except TimeoutError:
        return [], [f"the probe has not ended within {_PATIENCE:.0f} s, and was cancelled"]
    except BackendError as error:
        return [], [f"the probe failed: {str(error).removeprefix(f'{name}: ')}"]
    if not result.ok:
        return [], [f"the probe failed: {result.verdict.value}, exit code {result.exit_code}"]
    took = f"a job ran on {result.node or 'a node'}, and its record came back after {time.time() - submitted:.1f} s"
    return [took], _wrong_clock(result, submitted, time.time())


def _wrong_clock(result: TaskResult, submitted: float, heard: float) -> list[str]:
    """By the node's clock it started and ended between our submitting it and our hearing of it, or a clock is wrong."""
    if result.started is None or result.ended is None:
        return []
    said = disagreement(str(result.node), ahead(result.started, result.ended, after=submitted, before=heard))
    return [] if said is None else [said]
