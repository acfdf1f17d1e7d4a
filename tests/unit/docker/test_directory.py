from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from crankshaft_core.backends.docker.directory import TaskDirectory
from crankshaft_core.backends.docker.fetch import local_path
from crankshaft_core.backends.docker.layout import lay_out
from crankshaft_core.backends.docker.mounts import place
from crankshaft_core.backends.docker.ran import Ran
from crankshaft_core.errors import StagingError
from crankshaft_core.task import Input
from tests.unit.docker.plans import attempt, task


def make(directory: Path, *inputs: Input, made: tuple[str, ...] = ()) -> TaskDirectory:
    wanted = task(inputs=inputs)
    found = TaskDirectory(directory / "run" / "a-1")
    found.make(lay_out(wanted, made), place(attempt(wanted).inputs, None, made), (), bind=True)
    return found


def test_only_the_caller_may_enter_an_attempts_directory(tmp_path: Path) -> None:
    found = make(tmp_path, made=("/out",))
    assert found.path.stat().st_mode & 0o777 == 0o700


def test_whoever_runs_in_the_container_may_write(tmp_path: Path) -> None:
    found = make(tmp_path, made=("/out", "/out/sub"))
    modes = [(found.path / "files" / "0" / name).stat().st_mode & 0o777 for name in ("", "sub")]
    assert modes == [0o777, 0o777]


def test_content_becomes_a_file(tmp_path: Path) -> None:
    found = make(tmp_path, Input(path="/in/a", content="x"))
    assert (found.path / "inputs" / "0").read_text() == "x"


def test_a_file_that_may_be_changed_is_a_copy(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("mine")
    found = make(tmp_path, Input(path="/in/a", url=str(source), read_only=False))
    copy = found.path / "inputs" / "0"
    copy.write_text("theirs")
    assert source.read_text() == "mine"


def test_a_file_that_is_only_read_is_not_copied(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("mine")
    found = make(tmp_path, Input(path="/in/a", url=str(source)))
    assert not (found.path / "inputs").exists()


def test_an_input_in_a_directory_of_the_task_has_a_place_to_be_mounted_on(tmp_path: Path) -> None:
    # else the engine makes it, as root, and only root can remove it
    found = make(tmp_path, Input(path="/out/in/a", content="x"), made=("/out",))
    assert (found.path / "files" / "0" / "in" / "a").read_text() == ""


def test_making_it_twice_is_harmless(tmp_path: Path) -> None:
    for _ in range(2):
        found = make(tmp_path, Input(path="/out/a", content="x"), made=("/out",))
    assert (found.path / "inputs" / "0").read_text() == "x"


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("in the way")
    with pytest.raises(StagingError, match=r"a-1: (File exists|Not a directory)"):
        make(tmp_path)


def test_streams_and_outputs_outlive_the_rest(tmp_path: Path) -> None:
    found = make(tmp_path, Input(path="/in/a", content="x"), made=("/out",))
    found.stream("stdout").write_text("said")
    found.outputs.mkdir()
    (found.outputs / "kept").write_text("made")
    found.live("stderr").write_text("partly")
    found.prune()
    assert sorted(item.name for item in found.path.iterdir()) == ["outputs", "stdout"]


def test_a_directory_with_nothing_left_in_it_goes(tmp_path: Path) -> None:
    work = tmp_path / "work"
    make(work, made=("/out",)).prune()
    assert not work.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may remove everything")
def test_what_cannot_be_removed_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = make(tmp_path, made=("/out",))
    locked = found.path / "files" / "0"
    (locked / "x").touch()
    locked.chmod(0o500)
    with caplog.at_level(logging.WARNING):
        found.prune()
    locked.chmod(0o700)
    assert "is left behind" in caplog.text


def mounted(source: Path) -> Ran:
    return Ran(name="a-1-0", labels={}, started=True, ended=True, binds=(("/out", str(source)),))


def test_a_file_in_a_mounted_directory_is_read_here(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    assert local_path(mounted(tmp_path), "/out/x") == tmp_path / "x"


def test_a_link_within_the_directory_is_followed(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    (tmp_path / "latest").symlink_to("x")
    assert local_path(mounted(tmp_path), "/out/latest") == tmp_path / "x"


def test_a_link_that_leads_out_is_the_containers_and_not_ours(tmp_path: Path) -> None:
    (tmp_path / "passwd").symlink_to("/etc/passwd")
    assert local_path(mounted(tmp_path), "/out/passwd") is None
