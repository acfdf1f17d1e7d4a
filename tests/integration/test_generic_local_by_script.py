"""The contract of every backend, kept by the Generic one where everything travels by script.

The same tests as in `tests/contract`, on this machine in the part of another one.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from crankshaft_core.backends.base import Backend
from crankshaft_core.backends.generic import GenericBackend
from crankshaft_core.config import GenericConfig
from crankshaft_core.config.models import BackendConfig
from tests.contract import places
from tests.contract.test_backend import *  # noqa: F403 - the promises are tests
from tests.integration.elsewhere import Elsewhere


def _open(config: BackendConfig, run_id: str) -> Backend:
    assert isinstance(config, GenericConfig)
    return GenericBackend(config, run_id=run_id, driver=Elsewhere())


@pytest.fixture(params=["processes", "batch"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> places.Place:
    made = {"processes": places.local, "batch": places.batch}[request.param](tmp_path, request)
    return dataclasses.replace(made, opener=_open)
