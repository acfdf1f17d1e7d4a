"""Executions in their image on a Generic backend, by the real engines: as processes here, and as jobs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import docker
import pytest

from crankshaft_core.backends.base import Attempt, Phase
from crankshaft_core.config import Config, GenericConfig
from crankshaft_core.engine import Engine
from crankshaft_core.errors import SubmitError
from crankshaft_core.staging import StagedInput
from crankshaft_core.task import Execution, Input, Output, Task
from tests.integration.running import RUN, attempt, batch, config, opened, outcome, submitted, true, until
from tests.services.engines import remove_all
from tests.services.running import ContainerEngine

IMAGE = "busybox:local"
PROCESSES = "submit = '~{command}'\n"


@pytest.fixture(params=["podman", "docker"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """A runtime, and the address of its engine, a real one of the tests. No container is left on it."""
    name = str(request.param)
    one: ContainerEngine = request.getfixturevalue("podman" if name == "podman" else "docker_engine")
    monkeypatch.setenv("CONTAINER_HOST" if name == "podman" else "DOCKER_HOST", one.url)
    yield name, one.url
    left = containers(one.url)
    if left:
        remove_all(one.url)
    assert left == []


def containers(url: str) -> list[str]:
    with closing(docker.DockerClient(url)) as client:
        found = client.containers.list(all=True, ignore_removed=True)
        return [str(container.name) for container in found]


def boxed(root: Path, engine: tuple[str, str], text: str = PROCESSES) -> GenericConfig:
    return config(root, f"container = '{engine[0]}'\nenv = ['CONTAINER_HOST', 'DOCKER_HOST']\n{text}")


def in_image(command: str, **fields: object) -> Execution:
    return Execution.model_validate({"image": IMAGE, "command": command, **fields})


async def test_a_command_runs_in_the_image_as_the_caller_and_in_its_directory(
    tmp_path: Path, engine: tuple[str, str]
) -> None:
    text = 'id -u; pwd; echo "$TOKEN"; ls /bin/busybox; echo told >&2; exit 3'
    work = tmp_path / "here"
    work.mkdir()
    one = attempt(in_image(text, work_dir=str(work), env={"TOKEN": "two\nlines"}))
    async with opened(boxed(tmp_path, engine)) as backend:
        ended = await outcome(backend, one)
    assert (ended.exit_codes, ended.stderr_tail) == ((3,), "told\n")
    assert ended.stdout_tail.splitlines() == [str(os.getuid()), str(work), "two", "lines", "/bin/busybox"]


async def test_a_job_of_a_scheduler_runs_in_its_image(tmp_path: Path, engine: tuple[str, str]) -> None:
    one = attempt(
        in_image('echo "$TOKEN" "$CRANKSHAFT_ATTEMPT" "$DOCKER_HOST$CONTAINER_HOST"', env={"TOKEN": "s3cret"})
    )
    async with opened(boxed(tmp_path, engine, batch(tmp_path))) as backend:
        job = await submitted(backend, one)
        written = [path.read_text() for path in (tmp_path / "work" / RUN).rglob("*") if path.name in ("job", "cmd.0")]
        await until(backend, job, Phase.ENDED, sweep=False)
        ended = await backend.result(job)
    assert (ended.stdout_tail, ended.detail) == (f"s3cret {one.id} \n", "")
    assert not any("s3cret" in text for text in written)


async def test_inputs_are_seen_where_they_are_and_outputs_are_left_there(
    tmp_path: Path, engine: tuple[str, str]
) -> None:
    (tmp_path / "given.txt").write_text("from afar\n")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "ref.txt").write_text("of the site\n")
    out = tmp_path / "out" / "result.txt"
    linked = Input(path="in/given.txt", url=str(tmp_path / "given.txt"))
    placed = Input(path=str(tmp_path / "site" / "ref.txt"), url=str(tmp_path / "site" / "ref.txt"))
    text = f"cat in/given.txt {placed.path} >{out}; echo own >beside.txt; cat /extra/ref.txt"
    task = Task(
        executions=(in_image(text),),
        inputs=(linked, placed),
        outputs=(Output(path=str(out)), Output(path="beside.txt")),
    )
    staged = tuple(StagedInput(item, file=Path(str(item.url))) for item in task.inputs)
    one = Attempt(f"{RUN}-files", RUN, 1, task, inputs=staged)
    made = boxed(tmp_path, engine, f"{PROCESSES}mounts = ['{tmp_path}/site:/extra:ro']")
    async with opened(made) as backend:
        job = await submitted(backend, one)
        await until(backend, job, Phase.ENDED, sweep=False)
        ended = await backend.result(job)
        places = await backend.collect(job, task.outputs, tmp_path)
    assert (ended.exit_codes, ended.stdout_tail, ended.stderr_tail) == ((0,), "of the site\n", "")
    assert [Path(str(places[output.path])).read_text() for output in task.outputs] == [
        "from afar\nof the site\n",
        "own\n",
    ]


@pytest.mark.parametrize("by_scripts", [False, True])
async def test_a_task_written_for_containers_has_its_absolute_paths_to_itself(
    tmp_path: Path, engine: tuple[str, str], by_scripts: bool
) -> None:
    (tmp_path / "reads.txt").write_text("b\na\n")
    task = Task(
        executions=(in_image("sort /ck-in/reads.txt /ck-in/more.txt >/ck-out/sorted.txt; ls /ck-in >/ck-scratch/x"),),
        inputs=(
            Input(path="/ck-in/reads.txt", url=str(tmp_path / "reads.txt")),
            Input(path="/ck-in/more.txt", content="c\n"),
        ),
        outputs=(Output(path="/ck-out/*.txt", url=(tmp_path / "results").as_uri()),),
        volumes=("/ck-scratch",),
    )
    made = boxed(tmp_path, engine, batch(tmp_path) if by_scripts else PROCESSES)
    async with Engine(Config({"here": made})) as running:
        (await running.run("here", task)).check()
    assert (tmp_path / "results" / "sorted.txt").read_text() == "a\nb\nc\n"
    assert not [*tmp_path.glob("work/*/tasks/*"), *Path("/").glob("ck-*")]


async def test_a_cancelled_command_hears_of_it_in_its_container(tmp_path: Path, engine: tuple[str, str]) -> None:
    text = "trap 'echo asked; exit 4' TERM; echo begun >begun; while :; do sleep 0.1; done"
    one = attempt(in_image(text, work_dir=str(tmp_path)))
    async with opened(boxed(tmp_path, engine, batch(tmp_path))) as backend:
        job = await submitted(backend, one)
        await true((tmp_path / "begun").exists)
        await backend.cancel([job], force=False)
        await until(backend, job, Phase.ENDED)
        ended = await backend.result(job)
    assert ended.stdout_tail == "asked\n"


async def test_a_container_that_ignores_being_asked_is_ended_with_a_client_that_is_killed(
    tmp_path: Path, engine: tuple[str, str]
) -> None:
    text = "trap '' TERM; echo begun >begun; while :; do sleep 0.1; done"
    one = attempt(in_image(text, work_dir=str(tmp_path)))
    async with opened(boxed(tmp_path, engine, f"kill_after = '1s'\n{batch(tmp_path)}")) as backend:
        job = await submitted(backend, one)
        await true((tmp_path / "begun").exists)
        assert containers(engine[1]) == [f"{one.id}-0"]
        await backend.cancel([job], force=False)  # its KILL follows, and is for the whole session of the job
        await true(lambda: not containers(engine[1]))


async def test_a_container_that_ignores_being_asked_is_ended_by_force(tmp_path: Path, engine: tuple[str, str]) -> None:
    text = "trap '' TERM; echo begun >begun; while :; do sleep 0.1; done"
    one = attempt(in_image(text, work_dir=str(tmp_path)))
    async with opened(boxed(tmp_path, engine)) as backend:
        job = await submitted(backend, one)
        await true((tmp_path / "begun").exists)
        await backend.cancel([job], force=False)
        await backend.cancel([job], force=True)
        await until(backend, job, Phase.ENDED)
    assert containers(engine[1]) == []


async def test_a_program_that_the_image_lacks_is_named(tmp_path: Path, engine: tuple[str, str]) -> None:
    one = attempt(Execution(image=IMAGE, program="samtools", args=("view",)))
    async with opened(boxed(tmp_path, engine)) as backend:
        ended = await outcome(backend, one)
    assert ended.detail == f"samtools: command not found in image 'busybox:local' on {ended.node}"


async def test_a_container_that_cannot_be_made_is_not_taken_for_a_failed_command(
    tmp_path: Path, engine: tuple[str, str]
) -> None:
    made = boxed(tmp_path, engine, f"{PROCESSES}mounts = ['{tmp_path}/nowhere:/nowhere']")
    async with opened(made) as backend:
        ended = await outcome(backend, attempt(in_image("true")))
    assert ended.detail.startswith(f"{engine[0]} could not run image 'busybox:local' on {ended.node}: ")
    assert f"{tmp_path}/nowhere" in ended.detail


async def test_an_image_that_is_nowhere_is_refused_before_submit(tmp_path: Path, engine: tuple[str, str]) -> None:
    one = attempt(Execution(image="nosuch.invalid/samtools:1", command="true"))
    async with opened(boxed(tmp_path, engine)) as backend:
        with pytest.raises(
            SubmitError, match=f"^here: image 'nosuch.invalid/samtools:1' is not on .*{engine[0]} cannot"
        ):
            await backend.submit(one)
    assert not (tmp_path / "work" / RUN).exists()
