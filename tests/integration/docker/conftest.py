"""`box`: a real Docker engine, empty before and after every test; `swarm_box`: the manager of a swarm of one."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import docker
import pytest

from tests.integration.docker.box import Box
from tests.services.engines import remove_all
from tests.services.running import ContainerEngine

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """docker-py 7.2 does not close the socket of a connection that was refused; see `connect` in its unixconn.py."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"))


@pytest.fixture(autouse=True)
def _sockets_of_this_test_go_with_it() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture
def box(docker_engine: ContainerEngine, tmp_path: Path) -> Iterator[Box]:
    yield from _box(docker_engine, tmp_path)


@pytest.fixture
def swarm_box(swarm: ContainerEngine, tmp_path: Path) -> Iterator[Box]:
    yield from _box(swarm, tmp_path)


def _box(engine: ContainerEngine, tmp_path: Path) -> Iterator[Box]:
    remove_all(engine.url)
    with closing(docker.DockerClient(engine.url)) as client:
        yield Box(engine, client, tmp_path)
    remove_all(engine.url)
