from __future__ import annotations

import pytest

from crankshaft_core.backends.docker.layout import TASK_DIR, directories, home, lay_out, resolve
from crankshaft_core.errors import SubmitError
from crankshaft_core.task import Execution, Input, Output, Task
from tests.unit.docker.plans import task


def test_without_relative_paths_the_images_own_directory_is_used() -> None:
    assert home(task(outputs=[Output(path="/out/x")])) is None


def test_relative_paths_get_a_directory_of_the_tasks_own() -> None:
    assert home(task(outputs=[Output(path="x")])) == TASK_DIR


def test_relative_paths_stand_relative_to_the_first_work_dir() -> None:
    wanted = Task(executions=(Execution(command="true", work_dir="/w/"),), outputs=(Output(path="x"),))
    assert home(wanted) == "/w"


@pytest.mark.parametrize(
    ("path", "base", "absolute"),
    [("a/b", "/w", "/w/a/b"), ("../a", "/w/x", "/w/a"), ("/a//b/", "/w", "/a/b"), ("//a", None, "/a")],
)
def test_paths_are_made_absolute_and_plain(path: str, base: str | None, absolute: str) -> None:
    assert resolve(path, base) == absolute


def test_a_volume_is_the_tasks_own_and_the_parent_of_an_output_only_where_the_image_has_nothing() -> None:
    found = directories(task(volumes=["/v"], outputs=[Output(path="/out/x"), Output(path="/all", type="DIRECTORY")]))
    assert found == {"/v": True, "/out": False, "/all": False}


def test_the_files_of_redirections_need_their_directories() -> None:
    wanted = Task(executions=(Execution(command="true", stdout="/l/o", stderr="e", work_dir="/w"),))
    assert directories(wanted) == {"/w": False, "/l": False}


def test_the_root_directory_is_never_put_in_place() -> None:
    assert directories(task(outputs=[Output(path="/result.txt")])) == {}


def test_directories_beneath_others_are_made_inside_them() -> None:
    layout = lay_out(task(), ["/a/b", "/a", "/ab"])
    assert (layout.roots, layout.inner) == (("/a", "/ab"), ("/a/b",))
    assert layout.root_of("/ab/x") == 1
    assert layout.root_of("/elsewhere") is None


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (task(outputs=[Output(path="/o/*/x")]), "last part"),
        (task(outputs=[Output(path="/*.txt")]), "all of '/'"),
        (task(volumes=["/"]), "cannot be a volume"),
        (task(inputs=[Input(path="/a", content=""), Input(path="/b/../a", content="")]), "two inputs"),
        (Task(executions=(Execution(command="true", work_dir="w"),)), "must be an absolute path"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_created(wanted: Task, words: str) -> None:
    with pytest.raises(SubmitError, match=words):
        directories(wanted)
