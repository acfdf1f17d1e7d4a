"""What runs have left in a storage that others use as well, and on a server with other people's tasks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import fsspec
import httpx
import pytest

from crankshaft_core.backends.base import Cleaning
from crankshaft_core.backends.tes import TESBackend
from tests.integration.tes_client import client
from tests.services.s3 import s3_by_environment
from tests.services.tes_server import PROFILES, TesServer

RUN = "kabc123"
FILES = (f"{RUN}/in/0123abcd", f"{RUN}/{RUN}-1-1/log-00/0.stdout", "kfriend/data.bin", "results/kabc123/x")


def s3() -> Any:
    return fsspec.filesystem("s3", skip_instance_cache=True)  # pyright: ignore[reportUnknownMemberType] untyped


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """`s3://…` of a real S3 API on loopback."""
    with s3_by_environment():
        s3().mkdir("shared")
        yield "s3://shared"


@pytest.fixture
def stored(bucket: str) -> None:
    filesystem = s3()
    for name in FILES:
        filesystem.pipe_file(f"{bucket}/{name}", b"x" * 1024)


@pytest.fixture
async def server() -> AsyncIterator[TesServer]:
    async with TesServer(PROFILES["plain-1.1"]) as server:
        yield server


@pytest.fixture
async def backend(server: TesServer, bucket: str) -> AsyncIterator[TESBackend]:
    async with client(server, storage=bucket) as backend:
        yield backend


def names(bucket: str) -> list[str]:
    found = s3().find(bucket)
    return sorted(str(name).removeprefix("shared/") for name in found)


@pytest.mark.usefixtures("stored")
async def test_where_the_storage_tells_no_owner_a_run_stays_until_it_is_named(backend: TESBackend, bucket: str) -> None:
    (found,) = await backend.clean(Cleaning(0))
    assert found.kept == f"may be somebody else's: this storage tells no owner. If it is yours: --run {RUN}"
    assert names(bucket) == sorted(FILES)


@pytest.mark.usefixtures("stored")
async def test_a_run_that_is_named_goes_and_nothing_else(backend: TESBackend, bucket: str) -> None:
    (found,) = await backend.clean(Cleaning(0, only=RUN))
    assert (found.kept, found.size) == ("", 2048 / 1024**3)
    assert names(bucket) == sorted(FILES[2:])


async def test_tasks_that_are_not_ours_are_not_shown(server: TesServer, backend: TESBackend) -> None:
    executors = [{"image": "any", "command": ["sleep", "1000"]}]
    async with httpx.AsyncClient() as other:
        for task in ({"executors": executors}, {"name": "their_own_task", "executors": executors}):
            answer = await other.post(f"{server.url}/ga4gh/tes/v1/tasks", json=task)
            assert answer.status_code == 200
    assert list(await backend.shown()) == []
