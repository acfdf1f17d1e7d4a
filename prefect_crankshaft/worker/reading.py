"""Reads what cloudpickle wrote, and writes what pickle can, without importing either."""

from __future__ import annotations

import sys
from _pickle import Pickler, Unpickler
from io import BytesIO
from types import CellType, CodeType, FunctionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


def loaded(blob: bytes) -> Any:
    """What was pickled."""
    return Reader(BytesIO(blob)).load()


def dumped(value: object) -> bytes:
    """Pickled; what is more than data by cloudpickle, with functions and classes that have no name here by value."""
    buffer = BytesIO()
    try:
        DataPickler(buffer, -1).dump(value)
    except NotDataError:
        cloudpickle: Any = __import__("cloudpickle")
        blob: bytes = cloudpickle.dumps(value)
        return blob
    return buffer.getvalue()


class Reader(Unpickler):
    """Functions by value, which nearly every call has, are made here; for other things cloudpickle is imported."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """As pickle finds it."""
        if module_name == "cloudpickle.cloudpickle" and module_name not in sys.modules and global_name in MAKERS:
            return MAKERS[global_name]
        return super().find_class(module_name, global_name)


class DataPickler(Pickler):
    """Numbers, texts, bytes, and lists, tuples, sets and dictionaries of them; NotDataError for anything else."""

    def reducer_override(self, obj: object, /) -> Any:
        """Is not asked for plain data."""
        raise NotDataError(type(obj).__name__)


class NotDataError(Exception):
    """Plain pickle might name what is not known by that name where it is read."""


def builtin_type(name: str) -> object:
    """By its name in `types`."""
    return getattr(sys.modules["types"], name)


def empty_cell() -> CellType:
    """A closure's variable without a value."""
    return CellType()


def cell(*value: object) -> CellType:
    """A closure's variable."""
    return CellType(*value)


def function(
    code: CodeType,
    names: dict[str, object],
    name: str | None,
    defaults: tuple[object, ...] | None,
    closure: tuple[CellType, ...] | None,
) -> FunctionType:
    """One that `set_state` completes: what it refers to may refer to it."""
    names["__builtins__"] = __builtins__
    return FunctionType(code, names, name, defaults, closure)


def set_state(made: FunctionType, state: tuple[Mapping[str, object], dict[str, Any]]) -> None:
    """What it refers to, its variables and its attributes."""
    own, slots = state
    made.__dict__.update(own)
    made.__globals__.update(slots.pop("__globals__"))
    made.__globals__["__builtins__"] = __builtins__
    cells: tuple[CellType, ...] = slots.pop("__closure__") or ()
    for known, given in zip(made.__closure__ or (), cells, strict=True):
        if given != CellType():  # an empty one's contents cannot be read
            known.cell_contents = given.cell_contents
    del slots["_cloudpickle_submodules"]  # they were imported as this was read
    for name, value in slots.items():
        setattr(made, name, value)


def module(name: str) -> object:
    """A module, imported by its whole name."""
    __import__(name)
    return sys.modules[name]


MAKERS: Mapping[str, Callable[..., object]] = {
    "_builtin_type": builtin_type,
    "_function_setstate": set_state,
    "_make_cell": cell,
    "_make_empty_cell": empty_cell,
    "_make_function": function,
    "subimport": module,
}
"""What cloudpickle 3 names in a pickle of functions, and what is made of it here as there."""
