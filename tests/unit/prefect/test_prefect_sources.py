"""What is found of the flow's own modules."""

from __future__ import annotations

import sys
import types

import pytest

from prefect_crankshaft.sources import sources_zip


def test_what_only_stands_in_for_a_module_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    nameless = types.ModuleType("nameless")
    nameless.__file__ = __file__
    nameless.__name__ = None  # type: ignore[assignment] # as some lazy loaders leave it
    monkeypatch.setitem(sys.modules, "nameless", nameless)
    assert sources_zip()
