"""`place`: every backend in turn; tests marked `real` only where commands really run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.places import PLACES, Place, places_of


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "place" in metafunc.fixturenames:
        real = any(mark.name == "real" for mark in metafunc.definition.iter_markers())
        metafunc.parametrize("place", places_of(metafunc.function.__name__, real=real), indirect=True)


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return PLACES[request.param](tmp_path, request)
