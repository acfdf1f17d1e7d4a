"""`place`: every backend in turn; tests marked `real` only where commands really run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.places import PLACES, UNREAL, Place


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "place" in metafunc.fixturenames:
        real = any(mark.name == "real" for mark in metafunc.definition.iter_markers())
        metafunc.parametrize("place", [name for name in PLACES if not (real and name in UNREAL)], indirect=True)


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return PLACES[request.param](tmp_path, request)
