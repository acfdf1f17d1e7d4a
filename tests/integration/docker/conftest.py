"""`box`: a real Docker engine, empty before and after every test; `swarm_box`: the manager of a swarm of one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import docker
import pytest

from tests.integration.docker.box import Box
from tests.services.engines import remove_all
from tests.services.running import ContainerEngine


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
