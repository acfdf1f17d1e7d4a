"""Inputs and outputs on their way through a storage: a shared directory, and S3."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from crankshaft_core.backends.base import Job
from crankshaft_core.backends.tes import TESBackend
from crankshaft_core.errors import StagingError
from crankshaft_core.task import Task, Verdict
from tests.integration.tes_client import attempt, client, ended, task
from tests.services.s3 import s3_by_environment
from tests.services.tes_server import PROFILES, Profile, TesServer

PLAIN = PROFILES["plain-1.1"]
EVERY = pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
OF_1_1 = [profile for profile in PROFILES.values() if profile.version == "1.1"]


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    with s3_by_environment() as url:
        yield url


@pytest.fixture
def bucket(s3_server: str, request: pytest.FixtureRequest) -> str:
    """`s3://…`, an empty bucket of a real S3 API on loopback."""
    del s3_server
    name = f"b{abs(hash(request.node.name)) % 10**9}"
    filesystem = fsspec.filesystem("s3", skip_instance_cache=True)
    filesystem.mkdir(name)
    return f"s3://{name}"


@pytest.fixture
async def server() -> AsyncIterator[TesServer]:
    async with TesServer(PLAIN) as server:
        yield server


async def ran(backend: TESBackend, work: Task, scratch: Path) -> Job:
    one = attempt(work, backend, scratch=scratch)
    job = Job(one.id, one.run, await backend.submit(one))
    await ended(backend, job)
    return job


def everything(tmp_path: Path) -> Task:
    """Files, a directory and text in; a file, a file below, a directory and, on TES 1.1, matches out."""
    (tmp_path / "in/sub").mkdir(parents=True)
    (tmp_path / "big.bin").write_bytes(bytes(range(256)) * 1000)
    (tmp_path / "in/a").write_text("a")
    (tmp_path / "in/sub/b").write_text("b")
    return task(
        "wc -c < big.bin > out.txt; mkdir -p sub res/x; cp text.txt sub/copy.txt",
        "find /data/dir -type f | wc -l > res/x/count; touch res/empty",
        inputs=(
            {"path": "big.bin", "url": (tmp_path / "big.bin").as_uri()},
            {"path": "/data/dir", "url": (tmp_path / "in").as_uri(), "type": "DIRECTORY"},
            {"path": "text.txt", "content": "héllo\r\n"},
        ),
        outputs=({"path": "out.txt"}, {"path": "sub/copy.txt"}, {"path": "res", "type": "DIRECTORY"}),
    )


async def check_everything(backend: TESBackend, tmp_path: Path) -> None:
    work = everything(tmp_path)
    job = await ran(backend, work, tmp_path / "scratch")
    result = await backend.result(job)
    assert result.verdict is Verdict.OK, result
    collected = await backend.collect(job, work.outputs, tmp_path / "scratch")
    out, copy, directory = collected["out.txt"], collected["sub/copy.txt"], collected["res"]
    assert out is not None
    assert copy is not None
    assert directory is not None
    assert out.read_text().strip() == "256000"
    assert copy.read_bytes() == "héllo\r\n".encode()
    assert (directory / "x/count").read_text().strip() == "2"
    assert (directory / "empty").read_bytes() == b""


@EVERY
async def test_everything_makes_the_round_through_a_directory(profile: Profile, tmp_path: Path) -> None:
    storage = (tmp_path / "storage").as_uri()
    async with TesServer(profile.but(schemes=None)) as server, client(server, storage=storage) as backend:
        await check_everything(backend, tmp_path)


async def test_everything_makes_the_round_through_s3(bucket: str, tmp_path: Path) -> None:
    async with TesServer(PROFILES["tes-azure"]) as server, client(server, storage=f"{bucket}/prefix") as backend:
        await check_everything(backend, tmp_path)


async def test_stdout_is_whole_and_at_a_url(server: TesServer, bucket: str, tmp_path: Path) -> None:
    async with client(server, storage=bucket) as backend:
        job = await ran(backend, task("seq 100000"), tmp_path)
        result = await backend.result(job)
        assert result.stdout is not None
        assert result.stdout.startswith(f"{bucket}/")
        text = fsspec.open(result.stdout, "r", skip_instance_cache=True)
        with text as stream:
            assert stream.read().splitlines() == [str(number) for number in range(1, 100_001)]
        assert result.stdout_tail.endswith("\n100000\n")


async def test_in_a_directory_stdout_is_a_path(server: TesServer, tmp_path: Path) -> None:
    async with client(server, storage=tmp_path.as_uri()) as backend:
        result = await backend.result(await ran(backend, task("echo out; echo err >&2; exit 3"), tmp_path))
        assert result.stdout is not None
        assert result.stderr is not None
        assert (Path(result.stdout).read_text(), Path(result.stderr).read_text()) == ("out\n", "err\n")


async def test_workers_may_see_the_storage_elsewhere(tmp_path: Path) -> None:
    """They see it through a link here; that is as far as processes of one machine can see it elsewhere."""
    (tmp_path / "ours").mkdir()
    (tmp_path / "theirs").symlink_to(tmp_path / "ours")
    storage = {"url": (tmp_path / "ours").as_uri(), "worker_url": (tmp_path / "theirs").as_uri()}
    async with TesServer(PLAIN) as server, client(server, storage=storage) as backend:
        await check_everything(backend, tmp_path)
        urls = [
            item["url"]
            for known in server.tasks.values()
            for item in (*known["inputs"], *known["outputs"])
            if "url" in item
        ]
        assert urls
        assert all(url.startswith(storage["worker_url"]) for url in urls)


@pytest.mark.parametrize("profile", OF_1_1, ids=lambda profile: profile.name)
async def test_wildcards_collect_what_matches(profile: Profile, tmp_path: Path) -> None:
    work = task("mkdir d; touch d/a.txt d/b.txt d/c.log", outputs=({"path": "d/*.txt"},))
    async with TesServer(profile.but(schemes=None)) as server:
        async with client(server, storage=tmp_path.as_uri()) as backend:
            job = await ran(backend, work, tmp_path)
            place = (await backend.collect(job, work.outputs, tmp_path / "scratch"))["d/*.txt"]
            assert place is not None
            assert sorted(path.name for path in place.iterdir()) == ["a.txt", "b.txt"]


async def test_a_client_that_comes_later_collects_as_well(server: TesServer, tmp_path: Path) -> None:
    work = task("echo kept > o.txt", outputs=({"path": "o.txt"},))
    storage = tmp_path.as_uri()
    async with client(server, storage=storage) as backend:
        job = await ran(backend, work, tmp_path)
    async with client(server, storage=storage) as later:
        path = (await later.collect(job, work.outputs, tmp_path / "scratch"))["o.txt"]
        assert path is not None
        assert path.read_text() == "kept\n"


async def test_an_output_whose_url_the_workers_reach_is_written_by_them(
    server: TesServer, bucket: str, tmp_path: Path
) -> None:
    work = task("echo mine > o.txt", outputs=({"path": "o.txt", "url": f"{bucket}/mine.txt"},))
    async with client(server) as backend:
        job = await ran(backend, work, tmp_path)
        assert await backend.collect(job, work.outputs, tmp_path) == {"o.txt": None}
    with fsspec.open(f"{bucket}/mine.txt", "r", skip_instance_cache=True) as stream:
        assert stream.read() == "mine\n"


async def test_an_output_url_inside_the_shared_storage_is_written_by_the_workers(
    server: TesServer, tmp_path: Path
) -> None:
    work = task("echo mine > o.txt", outputs=({"path": "o.txt", "url": f"{tmp_path.as_uri()}/results/o.txt"},))
    async with client(server, storage=tmp_path.as_uri()) as backend:
        job = await ran(backend, work, tmp_path)
        assert await backend.collect(job, work.outputs, tmp_path / "scratch") == {"o.txt": None}
    assert (tmp_path / "results/o.txt").read_text() == "mine\n"


async def test_every_output_that_is_missing_is_named(server: TesServer, tmp_path: Path) -> None:
    work = task("echo 1 > a.txt", outputs=({"path": "a.txt"}, {"path": "b.txt"}, {"path": "c", "type": "DIRECTORY"}))
    async with client(server, storage=tmp_path.as_uri()) as backend:
        job = await ran(backend, work, tmp_path)
        with pytest.raises(StagingError, match=r"b\.txt \(file://.*\), c \(file://"):
            await backend.collect(job, work.outputs, tmp_path / "scratch")


@pytest.mark.parametrize("name", ["plain-1.1", "funnel"])
async def test_stdout_is_that_of_the_execution_that_failed(name: str, tmp_path: Path) -> None:
    async with TesServer(PROFILES[name]) as server, client(server, storage=f"file://{tmp_path}/storage") as backend:
        result = await backend.result(await ran(backend, task("true", "echo said; exit 4", "true"), tmp_path))
    assert (result.verdict, result.exit_codes) == (Verdict.FAILED, (0, 4))
    assert result.stdout is not None
    assert Path(result.stdout).read_text() == "said\n"


async def test_a_command_that_fails_has_failed_also_where_its_output_cannot_be_kept(tmp_path: Path) -> None:
    funnel = PROFILES["funnel"]
    async with TesServer(funnel) as server, client(server, storage=f"file://{tmp_path}/storage") as backend:
        work = task("exit 4", outputs=({"path": "never.txt"},))
        result = await backend.result(await ran(backend, work, tmp_path))
        assert [item["state"] for item in server.tasks.values()] == ["SYSTEM_ERROR"]
    assert (result.verdict, result.exit_codes) == (Verdict.FAILED, (4,))


async def test_an_output_that_was_cut_on_the_way_is_refused(server: TesServer, tmp_path: Path) -> None:
    work = task("seq 1000 > o.txt", outputs=({"path": "o.txt"},))
    async with client(server, storage=tmp_path.as_uri()) as backend:
        job = await ran(backend, work, tmp_path)
        await backend.result(job)
        (stored,) = tmp_path.glob("*/*/out-*/0/o.txt")
        stored.write_text("cut")
        with pytest.raises(StagingError, match="has 3 bytes; the server wrote 3893"):
            await backend.collect(job, work.outputs, tmp_path / "scratch")


async def test_released_outputs_leave_the_storage_and_logs_stay(server: TesServer, tmp_path: Path) -> None:
    work = task("echo 1 > o.txt; echo said", outputs=({"path": "o.txt"},))
    async with client(server, storage=tmp_path.as_uri()) as backend:
        job = await ran(backend, work, tmp_path)
        result = await backend.result(job)
        await backend.collect(job, work.outputs, tmp_path / "scratch")
        assert list(tmp_path.glob("*/*/out-*"))
        await backend.release({job: result.verdict})
    assert not list(tmp_path.glob("*/*/out-*"))
    assert Path(str(result.stdout)).read_text() == "said\n"


async def test_without_storage_binary_content_is_refused_before_submit(server: TesServer) -> None:
    async with client(server) as backend:
        with pytest.raises(StagingError, match=r"input 'a\.bin' .*Configure `storage`"):
            await backend.submit(attempt(task(inputs=({"path": "a.bin", "content": b"\xff\x00"},)), backend))
        assert server.requests["create"] == 0


async def test_a_storage_that_is_away_is_told_before_submit(server: TesServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    async with client(server, storage=f"file://{tmp_path}/file/storage") as backend:
        with pytest.raises(StagingError, match="file/storage"):
            await backend.submit(attempt(task(inputs=({"path": "a", "content": b"\xff"},)), backend))
        assert server.requests["create"] == 0


async def test_check_tries_the_storage(server: TesServer, bucket: str) -> None:
    async with client(server, storage=bucket) as backend:
        health = await backend.check()
        assert health.ok
        assert f"storage {bucket}: written, read and deleted" in health.notes
    async with client(server, storage="s3://no-such-bucket-at-all") as backend:
        health = await backend.check()
        assert not health.ok
        assert "no-such-bucket-at-all" in " ".join(health.notes)


async def test_a_dry_run_shows_where_files_would_go_and_brings_nothing(server: TesServer, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"\0")
    given: Any = ({"path": "a.bin", "url": (tmp_path / "a.bin").as_uri()}, {"path": "t", "content": "text"})
    async with client(server, storage=f"file://{tmp_path}/storage") as backend:
        shown = backend.script(attempt(task("cat a.bin", inputs=given)))
        assert f"<sha256 of {tmp_path}/a.bin>" in shown
        assert '"content": "text"' in shown
        await asyncio.sleep(0)
    assert not (tmp_path / "storage").exists()
