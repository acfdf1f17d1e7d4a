"""The result file: records, each behind its length and an HMAC, written as they come, so that a torn end is seen.

A record: pickled (number of the call, kind, value).
"""

from __future__ import annotations

import sys
from _pickle import dumps, loads
from _thread import allocate_lock

from prefect_crankshaft.worker.reading import dumped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class WorkerTimeout(BaseException):
    """Not an Exception, so that the function's own `except Exception` does not swallow it."""


class Records:
    """The result file, written record by record."""

    def __init__(self, path: str, key: bytes) -> None:
        self.file = open(path, "ab", buffering=0)  # noqa: PTH123, SIM115 - open as long as the process lives
        self.key = key
        self.lock = allocate_lock()

    def emit(self, number: int, kind: str, value: object) -> None:
        """`value` is plain data; what the function made is pickled before, so that a record can always be read."""
        self.write(dumps((number, kind, value), -1))

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
            import traceback

            trace = "".join(traceback.format_exception(without_our_frames(error)))
            self.emit(number, "error", (pickled(error), f"{type(error).__name__}: {error}", trace))

    def write(self, blob: bytes) -> None:
        """Append one record, whole: the time limit waits, and the kernel may take it in parts."""
        data = memoryview(len(blob).to_bytes(8, "big") + mac(self.key, blob) + blob)
        signal: Any = sys.modules.get("signal")  # without it there is no time limit
        before = signal and signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        try:
            with self.lock:
                while data:
                    data = data[self.file.write(data) :]
        finally:
            if signal:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)


def mac(key: bytes, blob: bytes) -> bytes:
    """HMAC with SHA-256 (RFC 2104) of a key no longer than a block. `hmac` would load OpenSSL, which takes 4 ms."""
    block = key.ljust(64, b"\0")
    inner, outer = sha256(len(blob)), sha256(0)
    inner.update(bytes(byte ^ 0x36 for byte in block))
    inner.update(blob)
    outer.update(bytes(byte ^ 0x5C for byte in block) + inner.digest())
    digest: bytes = outer.digest()
    return digest


def sha256(size: int) -> Any:
    """Python's own where it has one, for so many bytes; OpenSSL's is faster for many."""
    own = "_sha2" if sys.version_info >= (3, 12) else "_sha256"
    try:
        module = __import__(own if size < 1 << 20 else "hashlib")
    except ImportError:  # left out by those who built this Python
        module = __import__("hashlib")
    return module.sha256()


def without_our_frames(error: BaseException) -> BaseException:
    """The error as the function raised it; one that no function of theirs raised is left as it is."""
    trace = error.__traceback__
    while trace is not None and "prefect_crankshaft/worker/" in trace.tb_frame.f_code.co_filename:
        trace = trace.tb_next
    return error.with_traceback(trace) if trace is not None else error


def pickled(error: BaseException) -> bytes | None:
    """The exception, for whoever can read it; None when it cannot be pickled."""
    try:
        blob = dumped(error)
        loads(blob)  # exceptions with arguments of their own pickle well and fail to load
    except Exception:  # noqa: BLE001 - reducers are anybody's code
        return None
    return blob
