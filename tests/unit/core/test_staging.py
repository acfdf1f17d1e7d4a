"""Inputs and outputs by URL."""

from __future__ import annotations

from pathlib import Path

import pytest

from crankshaft_core.errors import StagingError
from crankshaft_core.staging import Reach, stage_in, stage_out
from crankshaft_core.task import Input, Output

HERE = Reach(local_paths=True)
FAR = Reach(inline_bytes=10, schemes=frozenset({"s3"}))


def test_content_stays_content(tmp_path: Path) -> None:
    assert stage_in([Input(path="a", content="é")], HERE, tmp_path)[0].content == "é".encode()


def test_a_file_url_is_the_file_itself(tmp_path: Path) -> None:
    source = tmp_path / "a b.txt"
    source.write_text("x")
    assert stage_in([Input(path="a", url=source.as_uri())], HERE, tmp_path)[0].file == source


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StagingError, match=r"input 'a': .*/none: no such file"):
        stage_in([Input(path="a", url=f"file://{tmp_path}/none")], HERE, tmp_path)


def test_a_url_the_worker_reads_is_left_to_it(tmp_path: Path) -> None:
    assert stage_in([Input(path="a", url="s3://b/k")], FAR, tmp_path)[0].url == "s3://b/k"


def test_a_url_that_cannot_reach_the_worker_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StagingError, match=r"file:///x cannot reach the worker, which reads s3. Configure `storage`"):
        stage_in([Input(path="a", url="file:///x")], FAR, tmp_path)


def test_content_that_is_too_large_to_travel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StagingError, match="11 bytes of content; this backend takes 10"):
        stage_in([Input(path="a", content="x" * 11)], FAR, tmp_path)


def test_any_url_of_fsspec_is_fetched(tmp_path: Path) -> None:
    import fsspec

    fsspec.filesystem("memory").pipe("/staged/in.txt", b"from memory")
    staged = stage_in([Input(path="a", url="memory://staged/in.txt")], HERE, tmp_path)[0]
    assert staged.file is not None
    assert staged.file.read_bytes() == b"from memory"


def test_a_url_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StagingError, match="input 'a': memory://nowhere"):
        stage_in([Input(path="a", url="memory://nowhere")], HERE, tmp_path)


def test_a_directory_is_fetched_whole(tmp_path: Path) -> None:
    import fsspec

    for name in ("one", "sub/two"):
        fsspec.filesystem("memory").pipe(f"/tree/{name}", name.encode())
    staged = stage_in([Input(path="a", url="memory://tree", type="DIRECTORY")], HERE, tmp_path)[0]
    assert staged.file is not None
    assert (staged.file / "sub" / "two").read_text() == "sub/two"


def test_an_output_is_copied_to_its_url(tmp_path: Path) -> None:
    made = tmp_path / "made.txt"
    made.write_text("made")
    url = f"file://{tmp_path}/deep/er/kept.txt"
    assert stage_out([Output(path="made.txt", url=url)], {"made.txt": made}) == {"made.txt": url}
    assert (tmp_path / "deep" / "er" / "kept.txt").read_text() == "made"


def test_an_output_goes_to_any_url_of_fsspec(tmp_path: Path) -> None:
    import fsspec

    made = tmp_path / "made.txt"
    made.write_text("made")
    stage_out([Output(path="made.txt", url="memory://kept/made.txt")], {"made.txt": made})
    assert fsspec.filesystem("memory").cat("/kept/made.txt") == b"made"


def test_wildcards_are_copied_into_the_url(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt", "c.log"):
        (tmp_path / name).write_text(name)
    stage_out([Output(path="*.txt", url=f"file://{tmp_path}/kept")], {"*.txt": tmp_path})
    assert sorted(file.name for file in (tmp_path / "kept").iterdir()) == ["a.txt", "b.txt"]


def test_an_output_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    made = tmp_path / "made.txt"
    made.write_text("made")
    with pytest.raises(StagingError, match=r"output 'made\.txt': file:///proc/none/x"):
        stage_out([Output(path="made.txt", url="file:///proc/none/x")], {"made.txt": made})
