"""What travels: calls into a payload, records out of a result file."""

from __future__ import annotations

import functools
import hashlib
import hmac
import io
import marshal
import pickle
import sys
import types
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from prefect_crankshaft import worker
from prefect_crankshaft.sources import is_by_value

__all__ = ["Call", "Record", "payload_of", "pickled_call", "records"]

cloudpickle: Any = import_module("cloudpickle")  # untyped

_MAC = hashlib.sha256().digest_size


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a task's function, pickled. `digest` is the same for the same arguments."""

    blob: bytes
    digest: str


@dataclass(frozen=True, slots=True)
class Record:
    """What the worker wrote of the call `number`: kind "value", "error", "timeout", "exit", "died", "log", …"""

    number: int
    kind: str
    value: object

    @property
    def mapping(self) -> Mapping[str, Any]:
        """The value of a "log" record."""
        return cast("Mapping[str, Any]", self.value)


def pickled_call(
    function: object,
    args: Sequence[object],
    kwargs: Mapping[str, object],
    *,
    context: Mapping[str, object] | None,
    timeout: float | None,
    log_prints: bool,
) -> Call:
    """The call for a worker. Raises TypeError naming what cannot be pickled."""
    try:
        arguments = _dumps((tuple(args), dict(kwargs)))
        packed = None if context is None else _dumps(context)
        blob = pickle.dumps((_dumps(function), arguments, packed, timeout, log_prints))
    except Exception as error:
        raise TypeError(_blame(function, args, kwargs, error)) from error
    return Call(blob, hashlib.sha256(arguments).hexdigest())


def payload_of(calls: Sequence[Call], head: Mapping[str, object]) -> bytes:
    """The payload file for these calls, as `worker/start.py` reads it."""
    version = "{}.{}\n".format(*sys.version_info)
    blobs = [pickle.dumps({"code": _worker_code(), **head}), *(call.blob for call in calls)]
    return b"".join([version.encode(), *(part for blob in blobs for part in (len(blob).to_bytes(8, "big"), blob))])


def records(path: Path, key: bytes) -> Iterator[Record]:
    """The whole and genuine records of a result file, in order; nothing is unpickled before its HMAC was checked."""
    if not path.exists():
        return
    with path.open("rb") as file:
        while len(length := file.read(8)) == 8:
            mac, blob = file.read(_MAC), file.read(int.from_bytes(length, "big"))
            if len(blob) < int.from_bytes(length, "big"):
                return
            if not hmac.compare_digest(mac, hmac.new(key, blob, hashlib.sha256).digest()):
                return
            yield Record(*pickle.loads(blob))  # noqa: S301 - written by our worker, which alone has the key


@functools.cache
def _worker_code() -> Mapping[str, bytes]:
    """The worker's modules, compiled, each behind those that it imports."""
    names = ("reading", "records", "surroundings", "prefect_context", "calls")
    return {f"{worker.__name__}.{name}": _compiled(f"prefect_crankshaft/worker/{name}.py") for name in names}


def _compiled(path: str) -> bytes:
    source = Path(worker.__path__[0], Path(path).name).read_bytes()
    return marshal.dumps(compile(source, path, "exec", dont_inherit=True, optimize=2))


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # untyped
    """cloudpickle, with a person's modules by value where the worker could not import them."""

    def __init__(self, buffer: io.BytesIO) -> None:
        untyped: Any = super()
        untyped.__init__(buffer)
        self.by_value: list[types.ModuleType] = []

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, TaskRunner):  # of a flow that a task calls: ours is not there, and its jobs start no jobs
            return ThreadPoolTaskRunner, ()
        module = _module_of(obj)
        if module is not None and module.__name__ not in _registered() and is_by_value(module):
            cloudpickle.register_pickle_by_value(module)
            self.by_value.append(module)
        untyped: Any = super()
        return untyped.reducer_override(obj)


def _dumps(value: object) -> bytes:
    with io.BytesIO() as buffer:
        pickler = _Pickler(buffer)
        try:
            pickler.dump(value)
        finally:
            for module in pickler.by_value:  # other users of cloudpickle in this process keep their own ways
                cloudpickle.unregister_pickle_by_value(module)
        return buffer.getvalue()


def _registered() -> Collection[str]:
    return cast("Collection[str]", cloudpickle.list_registry_pickle_by_value())


def _module_of(obj: object) -> types.ModuleType | None:
    if isinstance(obj, types.ModuleType):
        return obj
    if isinstance(obj, type) or callable(obj):
        return sys.modules.get(getattr(obj, "__module__", None) or "")
    return None


def _blame(function: object, args: Sequence[object], kwargs: Mapping[str, object], error: Exception) -> str:
    """Which of them it was that cannot be pickled."""
    for name, value in [*enumerate(args, start=1), *kwargs.items()]:
        try:
            _dumps(value)
        except Exception as own:  # noqa: BLE001 - reducers are anybody's code
            return f"argument {name} of type {type(value).__name__} cannot be pickled: {own}"
    return f"{getattr(function, '__name__', function)} cannot be pickled: {error}"
