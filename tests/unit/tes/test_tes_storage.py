"""Files for workers that do not see this machine: brought once, fetched whole."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import fsspec
import pytest

from crankshaft_core.backends.tes.document import Source
from crankshaft_core.backends.tes.fingerprint import Fingerprints
from crankshaft_core.backends.tes.remote import Remote
from crankshaft_core.backends.tes.storage import INLINE_BYTES, Storage
from crankshaft_core.config.tes import Storage as StorageConfig
from crankshaft_core.errors import StagingError
from crankshaft_core.staging import StagedInput
from crankshaft_core.task import Input, Output

WORKER = "s3://seen/by/workers"


@pytest.fixture
def place() -> str:
    """A file system in memory, of this test's own."""
    return f"memory://{uuid.uuid4().hex}"


@pytest.fixture
async def storage(place: str) -> AsyncIterator[Storage]:
    storage = Storage(StorageConfig(url=place, worker_url=WORKER), "krun0")
    yield storage
    await storage.aclose()


def given(content: bytes | None = None, file: Path | None = None) -> StagedInput:
    return StagedInput(Input(path="/in", url="file:///somewhere"), file=file, content=content)


def stored(place: str) -> dict[str, bytes]:
    filesystem, root = fsspec.url_to_fs(place)
    if not filesystem.exists(root):
        return {}
    return {path.removeprefix(root): filesystem.cat_file(path) for path in filesystem.find(root)}


async def test_small_text_travels_in_the_document(storage: Storage, place: str) -> None:
    assert await storage.bring(given("größer\r\n".encode())) == Source(content="größer\r\n")
    assert stored(place) == {}


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"a\0b", b"x" * (INLINE_BYTES + 1)], ids=["empty", "binary", "nul", "large"]
)
async def test_what_is_no_small_text_is_uploaded_under_its_hash(storage: Storage, place: str, content: bytes) -> None:
    source = await storage.bring(given(content))
    assert source.content is None
    assert str(source.url).startswith(f"{WORKER}/krun0/in/")
    assert list(stored(place).values()) == [content]


async def test_text_of_exactly_128_kib_travels_in_the_document(storage: Storage) -> None:
    assert (await storage.bring(given(b"x" * INLINE_BYTES))).url is None


async def test_a_url_the_worker_reads_is_left_alone(storage: Storage, place: str) -> None:
    staged = StagedInput(Input(path="/in", url="s3://public/x"), url="s3://public/x")
    assert await storage.bring(staged) == Source(url="s3://public/x")
    assert stored(place) == {}


async def test_a_file_that_many_tasks_share_is_uploaded_once(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "genome.fa"
    file.write_bytes(b"ACGT" * 1000)
    uploads: list[str] = []
    put = Remote.put

    def counted(self: Remote, source: Path | bytes, key: str) -> None:
        uploads.append(key)
        put(self, source, key)

    monkeypatch.setattr(Remote, "put", counted)
    sources = await asyncio.gather(*(storage.bring(given(file=file)) for _ in range(50)))
    assert len(set(sources)) == 1
    assert len(uploads) == 1


async def test_another_client_of_the_run_does_not_upload_it_again(storage: Storage, place: str, tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"\0" * 10)
    await storage.bring(given(file=file))
    filesystem, root = fsspec.url_to_fs(place)
    (name,) = filesystem.find(root)
    filesystem.pipe_file(name, b"\1" * 10)  # would be overwritten by an upload
    later = Storage(StorageConfig(url=place, worker_url=WORKER), "krun0")
    await later.bring(given(file=file))
    await later.aclose()
    assert filesystem.cat_file(name) == b"\1" * 10


async def test_a_file_changed_since_is_another_content(storage: Storage, tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("one")
    first = await storage.bring(given(file=file))
    file.write_text("other")
    assert await storage.bring(given(file=file)) != first


async def test_a_directory_keeps_its_tree(storage: Storage, place: str, tmp_path: Path) -> None:
    (tmp_path / "d/sub").mkdir(parents=True)
    (tmp_path / "d/a").write_text("1")
    (tmp_path / "d/sub/b").write_text("2")
    source = await storage.bring(given(file=tmp_path / "d"))
    key = str(source.url).removeprefix(WORKER)
    assert stored(place) == {f"{key}/a": b"1", f"{key}/sub/b": b"2"}


async def test_a_file_that_is_gone_is_named(storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(StagingError, match=r"input '/in'.*gone"):
        await storage.bring(given(file=tmp_path / "gone"))


async def test_a_file_in_a_shared_storage_is_not_copied(tmp_path: Path) -> None:
    storage = Storage(StorageConfig(url=tmp_path.as_uri(), worker_url="file:///mnt"), "krun0")
    file = tmp_path / "data/x y.bin"
    file.parent.mkdir()
    file.write_bytes(b"\0")
    assert (await storage.bring(given(file=file))).url == "file:///mnt/data/x y.bin"
    await storage.aclose()


async def test_a_failed_upload_is_tried_anew_by_the_next_task(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"\0")
    put = Remote.put
    failures = [StagingError("bucket is away")]

    def failing(self: Remote, source: Path | bytes, key: str) -> None:
        if failures:
            raise failures.pop()
        put(self, source, key)

    monkeypatch.setattr(Remote, "put", failing)
    with pytest.raises(StagingError, match="bucket is away"):
        await storage.bring(given(file=file))
    assert (await storage.bring(given(file=file))).url is not None


async def fetched(storage: Storage, output: Output, key: str, target: Path) -> Path:
    path = await storage.fetch(output, key, target)
    assert path is not None
    return path


async def test_a_file_is_fetched(storage: Storage, place: str, tmp_path: Path) -> None:
    Remote(place, {}).put(b"result", "k/o.txt")
    path = await fetched(storage, Output(path="/d/o.txt"), "k/o.txt", tmp_path / "scratch")
    assert (path.name, path.read_bytes()) == ("o.txt", b"result")


async def test_a_directory_is_fetched_with_its_tree(storage: Storage, place: str, tmp_path: Path) -> None:
    remote = Remote(place, {})
    remote.put(b"1", "k/d/a")
    remote.put(b"2", "k/d/sub/b")
    path = await fetched(storage, Output(path="/d", type="DIRECTORY"), "k/d", tmp_path / "scratch")
    assert {file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()} == {"a", "sub/b"}


async def test_matches_of_wildcards_are_fetched_into_one_directory(
    storage: Storage, place: str, tmp_path: Path
) -> None:
    remote = Remote(place, {})
    remote.put(b"1", "k/a.txt")
    remote.put(b"2", "k/b.txt")
    path = await fetched(storage, Output(path="/d/*.txt"), "k", tmp_path / "scratch")
    assert sorted(file.name for file in path.glob("*.txt")) == ["a.txt", "b.txt"]


@pytest.mark.parametrize(
    "output", [Output(path="/o"), Output(path="/o", type="DIRECTORY"), Output(path="/*.txt")], ids=lambda o: o.path
)
async def test_what_is_not_there_is_none(storage: Storage, output: Output, tmp_path: Path) -> None:
    assert await storage.fetch(output, "nothing/here", tmp_path) is None


async def test_the_end_of_a_file(storage: Storage, place: str) -> None:
    Remote(place, {}).put(b"x" * 10_000 + b"end", "log")
    tail = await storage.tail("log")
    assert tail is not None
    assert (len(tail), tail[-3:]) == (4096, "end")
    assert await storage.tail("no/such") is None


async def test_several_files_are_read_as_one(storage: Storage, place: str) -> None:
    remote = Remote(place, {})
    remote.put(b"0123", "0")
    remote.put(b"", "1")
    remote.put(b"4567", "2")
    assert await storage.read(["0", "1", "2"], 0) == b"0123"
    assert await storage.read(["0", "1", "2"], 4) == b"4567"
    assert await storage.read(["0", "1", "2"], 6) == b"67"
    assert await storage.read(["0", "1", "2"], 8) == b""


async def test_a_probe_leaves_nothing(storage: Storage, place: str) -> None:
    await storage.probe()
    assert stored(place) == {}


async def test_a_storage_without_its_driver_says_what_to_install() -> None:
    storage = Storage(StorageConfig(url="hdfs3000://x/y"), "krun0")
    with pytest.raises(StagingError, match="storage hdfs3000://x/y"):
        await storage.probe()
    await storage.aclose()


def test_secrets_among_the_options_are_looked_up(tmp_path: Path) -> None:
    secret = tmp_path / "s"
    secret.write_text("k3y\n")
    remote = Remote("memory://x", {"client_kwargs": {"key": {"file": str(secret)}}})
    remote.put(b"1", "a")
    assert remote.size("a") == 1


def test_equal_trees_have_equal_hashes_and_names_count(tmp_path: Path) -> None:
    for name, inner in (("one", "f"), ("two", "f"), ("three", "g")):
        (tmp_path / name).mkdir()
        (tmp_path / name / inner).write_text("same")
    prints = Fingerprints()
    assert prints.of(tmp_path / "one") == prints.of(tmp_path / "two") != prints.of(tmp_path / "three")
