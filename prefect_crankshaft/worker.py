"""Runs calls on the other side: python -I worker.py PAYLOAD RESULT. Standard library only, besides what travels along.

PAYLOAD is a line of JSON (python: the version it was made by; path: what to put on sys.path; roots: likewise, at its
end; cwd: where to run; key: for the records; isolate: a process for each call) and pickled calls, each behind its
length. RESULT gets records, each behind its length and an HMAC: pickled (number of the call, kind, value), written as
they come, so that a torn end is seen.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import hmac
import importlib
import json
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Generator, Iterator
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, BinaryIO


def main(payload_path: str, result_path: str) -> None:
    """Run all calls of the payload. Exits with a message if it was made by another version of Python."""
    payload_path, result_path = os.path.abspath(payload_path), os.path.abspath(result_path)  # noqa: PTH100 - fast start
    with open(payload_path, "rb") as payload:  # noqa: PTH123 - likewise
        head = json.loads(payload.readline())
        check_version(head["python"])
        calls = list(blobs(payload))
    enter(head, os.path.dirname(payload_path))  # noqa: PTH120 - likewise
    records = Records(result_path, bytes.fromhex(head["key"]))
    if head["isolate"]:
        importlib.import_module("cloudpickle")  # once, and not in every process that is forked: 30 ms each
    for number, blob in enumerate(calls):
        (run_apart if head["isolate"] else run_call)(number, blob, records)
    records.emit(-1, "end", None)


def check_version(made_by: list[int]) -> None:
    """Pickles of functions are bytecode: another minor version reads them wrong, or crashes."""
    if made_by != list(sys.version_info[:2]):
        needed = ".".join(map(str, made_by))
        sys.exit(f"this flow needs Python {needed}; here is {sys.version.split()[0]} ({sys.executable})")


def enter(head: dict[str, Any], here: str) -> None:
    """The modules that came along, the flow's working directory, and a Prefect that reaches for no server."""
    sys.path[:0] = [os.path.join(here, entry) for entry in head["path"]]  # noqa: PTH118 - likewise
    sys.path.extend(entry for entry in head["roots"] if entry not in sys.path)
    if head["cwd"] is not None and os.path.isdir(head["cwd"]):  # noqa: PTH112 - likewise
        os.chdir(head["cwd"])
    # without a URL, Prefect starts a whole server of its own for a single log line
    os.environ.setdefault("PREFECT_API_URL", "http://127.0.0.1:9/api")
    os.environ.setdefault("PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED", "false")


def blobs(file: BinaryIO) -> Iterator[bytes]:
    """What stands in the file, each behind its length."""
    while length := file.read(8):
        yield file.read(int.from_bytes(length, "big"))


def run_apart(number: int, blob: bytes, records: Records) -> None:
    """In a process of its own, so that a call that dies takes only itself with it."""
    child = os.fork()
    if not child:
        run_call(number, blob, records)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        records.emit(number, "died", os.waitstatus_to_exitcode(status))


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
    function, arguments, context, timeout, log_prints = pickle.loads(blob)  # noqa: S301 - made by the flow that runs us
    function, (args, kwargs) = pickle.loads(function), pickle.loads(arguments)  # noqa: S301 - likewise
    provide_prefect(number, context, records, (function, args, kwargs))
    with (
        printed(number, records) if log_prints else contextlib.nullcontext(),
        time_limit(timeout),
    ):
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
    import inspect

    if inspect.isgenerator(value):
        return list(value)
    if inspect.isasyncgen(value):
        import asyncio

        return asyncio.run(collected(value))
    return value


async def collected(items: Any) -> list[object]:
    """The items of an asynchronous generator."""
    return [item async for item in items]


@contextlib.contextmanager
def printed(number: int, records: Records) -> Generator[None, None, None]:
    """As Prefect's log_prints: what is printed to standard output becomes log lines of the task run."""
    import builtins

    real_print = builtins.print

    def print_(
        *args: object, sep: str | None = " ", end: str | None = "\n", file: Any = None, flush: bool = False
    ) -> None:
        if file is None or file is sys.stdout:
            records.emit(number, "print", (" " if sep is None else sep).join(map(str, args)))
        else:
            real_print(*args, sep=sep, end=end, file=file, flush=flush)

    builtins.print = print_
    try:
        yield
    finally:
        builtins.print = real_print


@contextlib.contextmanager
def time_limit(seconds: float | None) -> Generator[None, None, None]:
    """WorkerTimeout in the main thread after so many seconds; none for None."""

    def over(*_: object) -> None:
        raise WorkerTimeout(f"Task run exceeded timeout of {seconds} second(s)")

    if not seconds:
        yield
        return
    signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


class WorkerTimeout(BaseException):
    """Not an Exception, so that the function's own `except Exception` does not swallow it."""


def provide_prefect(
    number: int, context: bytes | None, records: Records, call: tuple[Callable[..., object], Any, Any]
) -> None:
    """Prefect's run context, for functions that use Prefect; for others Prefect is not even imported."""
    if context is not None:
        hydrate = functools.partial(hydrate_prefect, number, context, records, call)
        if "prefect" in sys.modules:
            hydrate()
        else:
            sys.meta_path.insert(0, PrefectFinder(hydrate))


def hydrate_prefect(
    number: int, context: bytes, records: Records, call: tuple[Callable[..., object], Any, Any]
) -> None:
    """Enter the run context for as long as the process lives, and let the function's logs be records."""
    import inspect

    from prefect.context import hydrated_context
    from prefect.logging.configuration import PROCESS_LOGGING_CONFIG, setup_logging
    from prefect.logging.handlers import set_api_log_sink
    from prefect.results import ResultStore

    function, args, kwargs = call
    values: dict[str, Any] = pickle.loads(context)  # noqa: S301 - made by the flow that runs us
    for name in ("flow_run_context", "task_run_context"):
        if name in values:
            values[name]["result_store"] = ResultStore()
    task_run = values["task_run_context"]
    task_run["task"].fn = function
    task_run["parameters"] = dict(inspect.signature(function).bind(*args, **kwargs).arguments)
    if not PROCESS_LOGGING_CONFIG:
        setup_logging()  # an older Prefect does not when its context is entered (seen in 3.6.20)
    set_api_log_sink(lambda log: records.emit(number, "log", {k: v for k, v in log.items() if k != "__payload_size__"}))
    entered = hydrated_context(values)
    entered.__enter__()
    KEPT.append(entered)


KEPT: list[object] = []
"""Contexts left open: an import within the function may have entered them in a context that has ended since."""


class PrefectFinder:
    """A finder, and a loader: calls `hydrate` once the function has imported Prefect for the first time."""

    def __init__(self, hydrate: Callable[[], None]) -> None:
        self.hydrate = hydrate

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:  # noqa: ARG002
        """Import Prefect in here, and let the import that asked for it find the result."""
        if name != "prefect":
            return None
        sys.meta_path.remove(self)
        importlib.import_module("prefect")
        self.hydrate()
        loader: Any = self  # by its methods: importlib.abc takes longer to import than all else here
        return ModuleSpec(name, loader)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module that is there already."""
        self.module = sys.modules[spec.name]
        self.spec = self.module.__spec__
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        """It was executed; its own spec is put back."""
        module.__spec__ = self.spec


class Records:
    """The result file, written record by record."""

    def __init__(self, path: str, key: bytes) -> None:
        self.file = open(path, "ab", buffering=0)  # noqa: PTH123, SIM115 - open as long as the process lives
        self.key = key
        self.lock = threading.Lock()

    def emit(self, number: int, kind: str, value: object) -> None:
        """`value` is plain data; what the function made is pickled before, so that a record can always be read."""
        self.write(pickle.dumps((number, kind, value)))

    def emit_value(self, number: int, value: object) -> None:
        """What the function returned."""
        try:
            blob = dumped(value)
        except BaseException as error:  # noqa: BLE001 - reducers are anybody's code
            self.emit(number, "unpicklable", f"its result of type {type(value).__name__} cannot be pickled: {error}")
        else:
            self.emit(number, "value", blob)

    def emit_error(self, number: int, error: BaseException) -> None:
        """What the function raised, with its traceback as text."""
        if isinstance(error, WorkerTimeout):
            self.emit(number, "timeout", str(error))
        elif not isinstance(error, Exception):
            self.emit(number, "exit", repr(error))
        else:
            trace = "".join(traceback.format_exception(without_our_frames(error)))
            self.emit(number, "error", (pickled(error), f"{type(error).__name__}: {error}", trace))

    def write(self, blob: bytes) -> None:
        """Append one record, whole: the time limit waits, and the kernel may take it in parts."""
        mac = hmac.new(self.key, blob, hashlib.sha256).digest()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        try:
            with self.lock:
                data = memoryview(len(blob).to_bytes(8, "big") + mac + blob)
                while data:
                    data = data[self.file.write(data) :]
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def without_our_frames(error: BaseException) -> BaseException:
    """The error as the function raised it; one that no function of theirs raised is left as it is."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return error.with_traceback(trace) if trace is not None else error


def pickled(error: BaseException) -> bytes | None:
    """The exception, for whoever can read it; None when it cannot be pickled."""
    try:
        blob = dumped(error)
        pickle.loads(blob)  # noqa: S301 - exceptions with arguments of their own pickle well and fail to load
    except Exception:  # noqa: BLE001 - reducers are anybody's code
        return None
    return blob


def dumped(value: Any) -> bytes:
    """Pickled, with functions and classes that have no name here by value."""
    cloudpickle: Any = __import__("cloudpickle")
    blob: bytes = cloudpickle.dumps(value)
    return blob


if __name__ == "__main__":
    main(*sys.argv[1:3])
