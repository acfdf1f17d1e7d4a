"""Runs calls: python -I worker.py PAYLOAD RESULT.

PAYLOAD is a line with the version of Python it was made by, a pickled head and pickled calls; head and calls stand each
behind their length. The head: code, the modules of this package, compiled; path, what to put on sys.path; roots,
likewise, at its end; cwd, where to run; isolate, a process for each call; key, for the records in RESULT.

This file alone is read by whatever Python an image happens to have, if only to say that it is not the one that the flow
needs: its syntax is that of Python 3.6.
"""

import marshal
import os
import sys
from _pickle import loads
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:  # known by this name to type checkers
    from collections.abc import Iterator, Mapping
    from typing import Any, BinaryIO


def main(payload_path: str, result_path: str) -> None:
    """Run all calls of the payload. Exits with a message if it was made by another version of Python."""
    payload_path, result_path = os.path.abspath(payload_path), os.path.abspath(result_path)  # noqa: PTH100 - fast start
    with open(payload_path, "rb") as payload:  # noqa: PTH123 - likewise
        check_version(payload.readline().decode().strip())
        packed_head, *calls = blobs(payload)
    head = loads(packed_head)
    provide(head["code"])
    enter(head, os.path.dirname(payload_path))  # noqa: PTH120 - likewise
    sys.modules["prefect_crankshaft.worker.calls"].run(calls, result_path, head["key"], isolate=head["isolate"])


def check_version(made_by: str) -> None:
    """Pickles of functions are bytecode: another minor version reads them wrong, or crashes."""
    if made_by != "{}.{}".format(*sys.version_info):
        sys.exit(f"this flow needs Python {made_by}; here is {sys.version.split()[0]} ({sys.executable})")


def blobs(file: "BinaryIO") -> "Iterator[bytes]":
    """What stands in the file, each behind its length."""
    length = file.read(8)
    while length:
        yield file.read(int.from_bytes(length, "big"))
        length = file.read(8)


def provide(compiled: "Mapping[str, bytes]") -> None:
    """The modules of this package by their names: imports find them, and the package itself need not be there."""
    for name, code in compiled.items():
        module = ModuleType(name)
        sys.modules[name] = module
        exec(marshal.loads(code), vars(module))  # noqa: S102, S302 - made by the flow that runs us


def enter(head: "Mapping[str, Any]", here: str) -> None:
    """The modules that came along, the flow's working directory, and a Prefect that reaches for no server."""
    sys.path[:0] = [os.path.join(here, entry) for entry in head["path"]]  # noqa: PTH118 - likewise
    sys.path.extend(entry for entry in head["roots"] if entry not in sys.path)
    if head["cwd"] is not None and os.path.isdir(head["cwd"]):  # noqa: PTH112 - likewise
        os.chdir(head["cwd"])
    # without a URL, Prefect starts a whole server of its own for a single log line
    os.environ.setdefault("PREFECT_API_URL", "http://127.0.0.1:9/api")
    os.environ.setdefault("PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED", "false")


if __name__ == "__main__":
    main(*sys.argv[1:3])
