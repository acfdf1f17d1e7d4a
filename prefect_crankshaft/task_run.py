"""One task run: what it depends on is awaited, then Prefect's engine runs it here, and only the call travels."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from prefect.client.schemas.objects import RunInput, State
from prefect.context import AsyncClientContext
from prefect.futures import PrefectFuture
from prefect.states import exception_to_crashed_state
from prefect.task_engine import run_task_async
from prefect.tasks import Task
from prefect.utilities.collections import visit_collection

from prefect_crankshaft.failures import JobCrashed
from prefect_crankshaft.options import Options
from prefect_crankshaft.remote import remote_task
from prefect_crankshaft.session import Session

__all__ = ["Submission", "final_state"]


@dataclass(frozen=True, slots=True)
class Submission:
    """What `submit` was given."""

    task: Task[..., Any]
    parameters: Mapping[str, Any]
    wait_for: tuple[PrefectFuture[Any], ...] | None
    dependencies: dict[str, set[RunInput]] | None
    task_run_id: UUID


async def final_state(submission: Submission, session: Session, options: Options, *, backend: str) -> State[Any]:
    """Run it to its end. Cancelled, the state is Crashed, and its job is being ended."""
    try:
        return await _run(submission, session, options, backend=backend)
    except asyncio.CancelledError as error:
        return await exception_to_crashed_state(error)
    except JobCrashed as error:
        state = await exception_to_crashed_state(error)
        state.data = None  # or a flow that asks for the result gets a BaseException, which no `except` expects
        return state


async def _run(submission: Submission, session: Session, options: Options, *, backend: str) -> State[Any]:
    awaited = _futures([submission.parameters, submission.wait_for])
    for future in awaited:
        await _done(future)
    jobs, client = await session.opened()
    await session.turns.turn()
    # set, not entered: it was entered once, for all task runs of this loop
    AsyncClientContext.__var__.set(client)
    state = await run_task_async(
        task=remote_task(submission.task, jobs, options, backend=backend),
        task_run_id=submission.task_run_id,
        parameters=_with_states(submission.parameters) if awaited else dict(submission.parameters),
        wait_for=_with_states(submission.wait_for),
        return_type="state",
        dependencies=submission.dependencies,
    )
    return cast("State[Any]", state)


def _futures(collection: Any) -> set[PrefectFuture[Any]]:
    found: set[PrefectFuture[Any]] = set()

    def visit(item: Any, context: dict[str, Any]) -> Any:  # noqa: ARG001 - with a context, annotated values are seen too
        value: Any = item
        if isinstance(value, PrefectFuture):
            found.add(value)  # pyright: ignore[reportUnknownArgumentType]  # of whatever it is a future
        return item

    visit_collection(collection, visit_fn=visit, return_data=False, context={})
    return found


async def _done(future: PrefectFuture[Any]) -> None:
    """Wait for it without holding up the loop."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def wake(_: PrefectFuture[Any]) -> None:
        loop.call_soon_threadsafe(done.set)

    future.add_done_callback(wake)
    await done.wait()
    future.wait()  # returns at once, and fetches the state


def _with_states(collection: Any) -> Any:
    """With each future replaced by its state: by states Prefect knows a failed one, where a value would be missing."""

    def visit(item: Any, context: dict[str, Any]) -> Any:  # noqa: ARG001 - likewise
        return item.state if isinstance(item, PrefectFuture) else item

    return visit_collection(collection, visit_fn=visit, return_data=True, context={}, remove_annotations=False)
