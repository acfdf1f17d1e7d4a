"""Runs calls of functions, each as Prefect would."""

from __future__ import annotations

import os
import sys
from _pickle import loads
from types import AsyncGeneratorType, GeneratorType

from prefect_crankshaft.worker.prefect_context import provide_prefect
from prefect_crankshaft.worker.reading import loaded
from prefect_crankshaft.worker.records import Records
from prefect_crankshaft.worker.surroundings import Printed, TimeLimit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


def run(calls: Sequence[bytes], result_path: str, key: bytes, *, isolate: bool) -> None:
    """Run them one after another, and record what each returned or raised; at last, that this was all."""
    records = Records(result_path, key)
    if isolate:
        run_apart(calls, records)
    else:
        for number, blob in enumerate(calls):
            run_call(number, blob, records)
    records.emit(-1, "end", None)


def run_apart(calls: Sequence[bytes], records: Records) -> None:
    """Each in a process of its own, so that a call that dies takes only itself with it."""
    told, tell = os.pipe()
    os.set_blocking(told, False)
    for number, blob in enumerate(calls):
        child = os.fork()
        if not child:
            run_call(number, blob, records)
            if "cloudpickle" in sys.modules:
                os.write(tell, b"!")
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            records.emit(number, "died", os.waitstatus_to_exitcode(status))
        if "cloudpickle" not in sys.modules and was_told(told):
            __import__("cloudpickle")  # once, and not in every process: 20 ms each


def was_told(pipe: int) -> bool:
    """Something was written to it."""
    try:
        return bool(os.read(pipe, 1))
    except BlockingIOError:
        return False


def run_call(number: int, blob: bytes, records: Records) -> None:
    """Run one call, and record what it returned or raised."""
    try:
        value = call(number, blob, records)
    except BaseException as error:  # noqa: BLE001 - whatever it raises is its result
        records.emit_error(number, error)
    else:
        records.emit_value(number, value)


def call(number: int, blob: bytes, records: Records) -> object:
    """Load the function and its arguments, and call it as Prefect would."""
    packed_function, packed_arguments, context, timeout, log_prints = loads(blob)  # made by the flow that runs us
    function, (args, kwargs) = loaded(packed_function), loaded(packed_arguments)
    if context is not None:
        provide_prefect(number, context, records, (function, args, kwargs))
    with TimeLimit(timeout), Printed(number, records if log_prints else None):
        value = function(*args, **kwargs)
        if hasattr(value, "__await__"):
            import asyncio

            value = asyncio.run(awaited(value))
        return listed(value)


async def awaited(value: Any) -> object:
    """What awaiting it gives: asyncio.run takes coroutines, not every awaitable."""
    return await value


def listed(value: Any) -> object:
    """A generator cannot travel: its items do, as a list."""
    if isinstance(value, GeneratorType):
        return [*value]  # pyright: ignore[reportUnknownVariableType]  # of whatever it generates
    if isinstance(value, AsyncGeneratorType):
        import asyncio

        return asyncio.run(collected(value))
    return value


async def collected(items: Any) -> list[object]:
    """The items of an asynchronous generator."""
    return [item async for item in items]
