"""Calls and records: what goes in comes out, and nothing that was tampered with."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import cloudpickle
import pytest

from prefect_crankshaft.payload import Call, payload_of, pickled_call, records
from prefect_crankshaft.worker import start

KEY = b"k" * 32
HEAD: Mapping[str, object] = {"path": [], "roots": [], "cwd": None, "key": KEY, "isolate": False}


def call(function: object, *args: object, **more: object) -> Call:
    settings = {"context": None, "timeout": None, "log_prints": False, **more}
    return pickled_call(function, args, {}, **settings)  # type: ignore[arg-type]


def run(
    directory: Path, *calls: Call, made_by: bytes | None = None, **head: object
) -> subprocess.CompletedProcess[str]:
    version, rest = payload_of(calls, {**HEAD, **head}).split(b"\n", 1)
    (directory / "payload").write_bytes((made_by or version) + b"\n" + rest)
    command = [sys.executable, "-I", start.__file__, "payload", "result"]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)


def test_the_worker_answers_every_call_in_order(tmp_path: Path) -> None:
    assert run(tmp_path, call(lambda: 1), call(lambda: 2)).returncode == 0
    values = [pickle.loads(record.value) for record in records(tmp_path / "result", KEY) if record.kind == "value"]
    assert values == [1, 2]


def test_what_a_call_does_not_need_is_not_imported(tmp_path: Path) -> None:
    def imported() -> list[str]:
        import sys

        return sorted({"cloudpickle", "pickle", "json", "typing", "enum", "re", "_hashlib"} & set(sys.modules))

    run(tmp_path, call(imported))
    (value,) = [record.value for record in records(tmp_path / "result", KEY) if record.kind == "value"]
    assert pickle.loads(value) == []  # type: ignore[arg-type]


def test_the_last_record_is_the_end(tmp_path: Path) -> None:
    run(tmp_path, call(lambda: 1))
    assert [record.kind for record in records(tmp_path / "result", KEY)] == ["value", "end"]


def test_records_of_another_key_are_not_loaded(tmp_path: Path) -> None:
    run(tmp_path, call(lambda: 1))
    assert not list(records(tmp_path / "result", b"x" * 32))


@pytest.mark.parametrize("cut", [1, 60, 100])
def test_a_torn_record_is_left_out(cut: int, tmp_path: Path) -> None:
    run(tmp_path, call(lambda: 1))
    result = tmp_path / "result"
    result.write_bytes(result.read_bytes()[:-cut])
    assert "end" not in [record.kind for record in records(result, KEY)]


def test_no_result_file_has_no_records(tmp_path: Path) -> None:
    assert not list(records(tmp_path / "none", KEY))


def test_an_argument_that_cannot_be_pickled_is_named() -> None:
    with pytest.raises(TypeError, match="argument 2 of type lock cannot be pickled"):
        call(print, 1, threading.Lock())


def test_the_same_arguments_have_the_same_digest() -> None:
    assert call(print, 1, {"a": 2}).digest == call(repr, 1, {"a": 2}).digest
    assert call(print, 1).digest != call(print, 2).digest


def test_pickling_by_value_leaves_no_trace_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "uses_prefect.py").write_text("from prefect import task\ndef helper():\n    return 5\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    helper = __import__("uses_prefect").helper
    run(tmp_path, call(helper))
    assert "uses_prefect" not in cloudpickle.list_registry_pickle_by_value()


def test_what_uses_prefect_at_its_top_travels_without_prefect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "with_prefect.py").write_text("from prefect import task\ndef helper():\n    return 5\n")
    monkeypatch.syspath_prepend(str(tmp_path / "own"))
    helper = __import__("with_prefect").helper

    def imported() -> tuple[int, bool]:
        import sys

        return helper(), "prefect" in sys.modules

    run(tmp_path, call(imported))
    (value,) = [record.value for record in records(tmp_path / "result", KEY) if record.kind == "value"]
    assert pickle.loads(value) == (5, False)  # type: ignore[arg-type]


def test_another_minor_version_is_refused(tmp_path: Path) -> None:
    ran = run(tmp_path, call(lambda: 1), made_by=b"3.2")
    assert ran.returncode == 1
    assert "this flow needs Python 3.2; here is 3." in ran.stderr


def test_a_time_limit_is_a_record(tmp_path: Path) -> None:
    def sleep() -> None:
        import time

        time.sleep(30)

    run(tmp_path, call(sleep, timeout=0.2))
    assert next(records(tmp_path / "result", KEY)).kind == "timeout"


def test_prints_are_records_if_they_are_to_be_logs(tmp_path: Path) -> None:
    run(tmp_path, call(lambda: print("a", 1, sep="-"), log_prints=True))
    assert next(records(tmp_path / "result", KEY)).value == "a-1"
