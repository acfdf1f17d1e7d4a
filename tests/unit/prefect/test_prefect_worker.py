"""What the worker does by itself is what cloudpickle, pickle and hmac would have done."""

from __future__ import annotations

import ast
import hashlib
import hmac
import pickle
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from prefect_crankshaft.worker import start
from prefect_crankshaft.worker.reading import MAKERS, dumped, loaded
from prefect_crankshaft.worker.records import mac

FACTOR = 3


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], Any]:
    """Pickles by value, and reads it as where nobody has imported cloudpickle."""

    def read(value: object) -> Any:
        cloudpickle.register_pickle_by_value(sys.modules[__name__])
        try:
            blob = cloudpickle.dumps(value)
        finally:
            cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
        with monkeypatch.context() as modules:
            modules.delitem(sys.modules, "cloudpickle.cloudpickle")
            return loaded(blob)

    return read


def tripled(value: int, *, more: int = 0) -> int:
    """With a global variable and a default."""
    return FACTOR * value + more


def factorial(number: int) -> int:
    return 1 if number < 2 else number * factorial(number - 1)


def test_a_function_has_its_globals_defaults_and_names(read: Callable[[object], Any]) -> None:
    back = read(tripled)
    assert back(2) == 6
    assert (back.__name__, back.__doc__, back.__kwdefaults__) == (
        "tripled",
        "With a global variable and a default.",
        {"more": 0},
    )
    assert back is not tripled


def test_a_function_may_call_itself(read: Callable[[object], Any]) -> None:
    assert read(factorial)(5) == 120


def test_a_closure_has_its_values_and_those_that_have_none_yet(read: Callable[[object], Any]) -> None:
    base = 40

    def outer() -> int:
        return base + later()

    back = read(outer)
    with pytest.raises(NameError):
        back()

    def later() -> int:
        return 2

    assert read(outer)() == 42


def test_functions_of_one_module_share_its_globals(read: Callable[[object], Any]) -> None:
    one, two = read((tripled, factorial))
    assert one.__globals__ is two.__globals__


def test_modules_and_types_are_found(read: Callable[[object], Any]) -> None:
    assert read((hashlib, type(None), type(tripled))) == (hashlib, type(None), type(tripled))


def test_the_names_are_those_of_cloudpickle() -> None:
    assert [name for name in MAKERS if not hasattr(cloudpickle.cloudpickle, name)] == []


def test_any_python_can_read_how_it_starts() -> None:
    source = Path(start.__file__).read_text()
    assert ast.parse(source, feature_version=(3, 6))
    assert "__future__" not in source


def test_plain_data_is_pickled_plainly() -> None:
    value = {"a": [1, 2.5, None, True], "b": ({3}, b"4", "5")}
    assert dumped(value) == pickle.dumps(value, -1)


def test_what_is_more_than_data_is_pickled_by_cloudpickle() -> None:
    value = [Decimal(1), lambda: 7]
    number, function = pickle.loads(dumped(value))
    assert (number, function()) == (Decimal(1), 7)


def test_data_is_told_by_type_and_not_by_kinship() -> None:
    class Name(str):
        __slots__ = ()

    assert type(pickle.loads(dumped(Name("x")))).__name__ == "Name"


@pytest.mark.parametrize("size", [0, 100, 1 << 20])
def test_the_mac_is_hmac_with_sha_256(size: int) -> None:
    key, blob = bytes(range(32)), b"x" * size
    assert mac(key, blob) == hmac.new(key, blob, hashlib.sha256).digest()
