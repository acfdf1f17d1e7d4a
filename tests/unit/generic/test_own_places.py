"""Absolute paths that containers have to themselves."""

from __future__ import annotations

from pathlib import Path

from crankshaft_core.backends.base import Attempt
from crankshaft_core.backends.generic.local_runs import Header
from crankshaft_core.backends.generic.own_places import OwnPlaces
from crankshaft_core.staging import StagedInput
from crankshaft_core.task import Execution, Input, Output, Task
from tests.unit.generic.making import BATCH, config, renderer

ROOT = "/w/k1"
OWN = f"{ROOT}/tasks/k1-1/own"


def attempt(
    *,
    inputs: tuple[str, ...] = (),
    outputs: tuple[Output, ...] = (),
    volumes: tuple[str, ...] = (),
    image: str | None = "tool",
    stdout: str | None = None,
) -> Attempt:
    given = tuple(Input(path=path, content="x") for path in inputs)
    executions = (Execution(image=image, command="x", stdout=stdout, work_dir="/data"),)
    task = Task(executions=executions, inputs=given, outputs=outputs, volumes=volumes)
    return Attempt("k1-1", "k1", 1, task, inputs=tuple(StagedInput(item, content=b"x") for item in given))


def places(one: Attempt, more: str = "") -> OwnPlaces:
    return renderer(ROOT, config(f"container = 'docker'\n{BATCH}\n{more}"), env_file=True).job(one).own


def test_an_input_is_put_beside_the_jobs_own_files() -> None:
    made = renderer(ROOT, config(f"container = 'docker'\n{BATCH}"), env_file=True).job(
        attempt(inputs=("/in/a.txt", "b"))
    )
    assert [staged.input.path for staged in made.attempt.inputs] == [f"{OWN}.in.0", "b"]
    assert f"--mount=type=bind,source={OWN}.in.0,target=/in/a.txt,readonly" in made.script()


def test_an_output_that_goes_elsewhere_is_written_there_too() -> None:
    one = attempt(outputs=(Output(path="/out/x.bam", url="file:///far/x.bam"),), stdout="/out/log")
    made = renderer(ROOT, config(f"container = 'docker'\n{BATCH}"), env_file=True).job(one)
    assert (made.own.below("/out/x.bam"), made.steps[0].stdout) == (f"{OWN}.0/x.bam", f"{OWN}.0/log")
    assert f"[ -d {OWN}.0 ] || mkdir -p -- {OWN}.0" in made.script()


def test_an_output_that_goes_nowhere_is_left_where_it_says() -> None:
    assert places(attempt(outputs=(Output(path="/out/x.bam"),))).below("/out/x.bam") == "/out/x.bam"


def test_what_the_machine_has_there_is_its_own() -> None:
    one = attempt(inputs=("/data/in.txt", "/ref/a.fa"), outputs=(Output(path="/data/x", url="file:///x"),))
    assert places(one, "mounts = ['/ref:/ref']") == OwnPlaces()


def test_an_input_that_is_there_already_is_not_moved() -> None:
    staged = StagedInput(Input(path="/ref/a.fa", url="/ref/a.fa"), file=Path("/ref/a.fa"))
    one = Attempt("k1-1", "k1", 1, Task(executions=(Execution(image="t", command="x"),)), inputs=(staged,))
    assert places(one) == OwnPlaces()


def test_volumes_inputs_and_outputs_share_directories() -> None:
    output = Output(path="/box/deep/x", url="file:///x")
    own = places(attempt(inputs=("/box/in.txt",), outputs=(output,), volumes=("/box",)))
    assert [own.below(path) for path in ("/box/in.txt", "/box/deep/x")] == [f"{OWN}.0/in.txt", f"{OWN}.0/deep/x"]


def test_without_an_image_paths_are_the_machines() -> None:
    one = attempt(inputs=("/in/a.txt",), outputs=(Output(path="/out/x", url="file:///x"),), image=None)
    assert places(one) == OwnPlaces()


def test_a_later_client_finds_the_outputs_by_the_jobs_header() -> None:
    one = attempt(outputs=(Output(path="/out/*.txt", url="file:///x"),))
    script = renderer(ROOT, config(f"container = 'docker'\n{BATCH}"), env_file=True).job(one).script()
    header = Header.read(script)
    assert header is not None
    (moved,) = header.own.moved(one.task.outputs).values()
    assert moved.path == f"{OWN}.0/*.txt"
