"""What goes into containers and what comes out of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from crankshaft_core.errors import StagingError
from crankshaft_core.task import Execution, Input, Output, Task, TaskResult
from tests.integration.docker.box import Box, sh

FILES = pytest.mark.parametrize("files", ["mount", "copy"])
"""Bind mounts on this machine, or the archive calls that an engine elsewhere needs."""


async def run(box: Box, task: Task, more: str = "") -> TaskResult:
    async with box.run(more) as engine:
        return await engine.run("box", task)


async def made(box: Box, task: Task, path: str, more: str = "") -> Path:
    """Where the output `path` of the task is."""
    result = await run(box, task, more)
    assert result.ok, result
    return Path(result.outputs[path])


@FILES
async def test_a_directory_arrives_with_all_that_is_in_it(box: Box, files: str) -> None:
    source = box.directory / "source"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "x").write_text("deep")
    task = sh("cat /in/d/sub/x", inputs=[Input(path="/in/d", url=source.as_uri(), type="DIRECTORY")])
    assert (await run(box, task, f"files = '{files}'")).stdout_tail == "deep"


@FILES
async def test_a_directory_the_task_writes_into_is_its_own_copy(box: Box, files: str) -> None:
    source = box.directory / "source"
    source.mkdir()
    (source / "x").write_text("given")
    task = sh(
        "cp /d/x /d/y",
        inputs=[Input(path="/d", url=source.as_uri(), type="DIRECTORY")],
        outputs=[Output(path="/d/y")],
    )
    assert (await made(box, task, "/d/y", f"files = '{files}'")).read_text() == "given"
    assert [item.name for item in source.iterdir()] == ["x"]


async def test_an_input_cannot_be_changed(box: Box) -> None:
    result = await run(box, sh("echo x > /in/a", inputs=[Input(path="/in/a", content="given")]))
    assert result.exit_code == 1
    assert "Read-only" in result.stderr_tail


@FILES
async def test_executions_share_a_volume_and_nothing_of_it_stays(box: Box, files: str) -> None:
    task = sh("echo one > /v/a", "cat /v/a", volumes=["/v"])
    result = await run(box, task, f"files = '{files}'")
    assert (result.exit_codes, result.stdout_tail) == ((0, 0), "one\n")
    assert box.left() == []


@FILES
async def test_an_output_may_be_a_directory(box: Box, files: str) -> None:
    task = sh("mkdir /out/sub; echo x > /out/sub/y", outputs=[Output(path="/out", type="DIRECTORY")])
    assert ((await made(box, task, "/out", f"files = '{files}'")) / "sub" / "y").read_text() == "x\n"


@FILES
async def test_what_matches_a_pattern_is_copied_to_the_url(box: Box, files: str) -> None:
    target = box.directory / "kept"
    task = sh("cd /out; touch a.txt b.txt c.log", outputs=[Output(path="/out/*.txt", url=target.as_uri())])
    assert (await run(box, task, f"files = '{files}'")).ok
    assert sorted(item.name for item in target.iterdir()) == ["a.txt", "b.txt"]


@FILES
async def test_an_output_among_the_images_own_files_hides_none_of_them(box: Box, files: str) -> None:
    task = sh("echo x > /bin/made", outputs=[Output(path="/bin/made")])
    assert (await made(box, task, "/bin/made", f"files = '{files}' \n user = 'image'")).read_text() == "x\n"


@FILES
async def test_an_output_may_be_a_link_to_a_file_of_the_container(box: Box, files: str) -> None:
    task = sh("echo x > /tmp/real; ln -s /tmp/real /out/link", outputs=[Output(path="/out/link")])
    assert (await made(box, task, "/out/link", f"files = '{files}'")).read_text() == "x\n"


async def test_a_link_never_leads_to_a_file_of_this_machine(box: Box) -> None:
    secret = box.directory / "secret"
    secret.write_text("mine")
    task = sh(f"ln -s {secret} /out/link", outputs=[Output(path="/out/link")])
    with pytest.raises(StagingError, match="left no /out/link"):
        await run(box, task)


async def test_every_output_that_is_missing_is_named(box: Box) -> None:
    outputs = [Output(path=path) for path in ("/out/a", "/out/b", "/out/*.txt")]
    with pytest.raises(StagingError, match=r"left no /out/a, /out/b, /out/\*\.txt"):
        await run(box, sh("true", outputs=outputs))


async def test_stdin_stdout_and_stderr_go_where_they_are_told(box: Box) -> None:
    execution = Execution(program="sh", args=("-c", "cat; echo bad >&2"), stdin="in", stdout="out", stderr="err")
    task = Task(executions=(execution,), inputs=(Input(path="in", content="given"),), outputs=(Output(path="out"),))
    result = await run(box, task)
    assert (result.stdout_tail, result.stderr_tail) == ("given", "bad\n")
    assert Path(result.outputs["out"]).read_text() == "given"


async def test_output_of_any_bytes_is_whole(box: Box) -> None:
    result = await run(box, sh(r"head -c 3000000 /dev/zero; printf 'a\n\n\200\377end'; printf 'no newline' >&2"))
    assert result.stdout is not None
    assert Path(result.stdout).read_bytes() == bytes(3_000_000) + b"a\n\n\x80\xffend"
    assert result.stderr_tail == "no newline"


async def test_files_are_of_the_user_that_is_told(box: Box) -> None:
    task = sh("id -u; touch /out/x", outputs=[Output(path="/out/x")])
    result = await run(box, task, "user = '1234:1235'")
    assert result.stdout_tail == "1234\n"
    status = Path(result.outputs["/out/x"]).stat()
    assert (status.st_uid, status.st_gid) == (1234, 1235)


async def test_files_are_the_callers(box: Box) -> None:
    output = await made(box, sh("touch /out/x", outputs=[Output(path="/out/x")]), "/out/x")
    assert (output.stat().st_uid, output.stat().st_gid) == (os.getuid(), os.getgid())


async def test_a_mount_of_the_configuration_is_the_machines_own(box: Box) -> None:
    shared = box.directory / "shared"
    shared.mkdir()
    result = await run(box, sh("echo x > /data/y; pwd"), f"mounts = ['{shared}:/data']")
    assert result.ok
    assert (shared / "y").read_text() == "x\n"


async def test_the_working_directory_is_there_and_the_tasks_own(box: Box) -> None:
    execution = Execution(command="pwd; touch made", work_dir="/w/deep")
    task = Task(executions=(execution,), outputs=(Output(path="made"),))
    result = await run(box, task, "user = '1234:1235'")
    assert (result.exit_code, result.stdout_tail) == (0, "/w/deep\n")
    assert Path(result.outputs["made"]).exists()


async def test_what_a_running_task_has_written_can_be_read(box: Box) -> None:
    async with box.run() as engine:
        handle = engine.spawn("box", sh("echo one; sleep 1", "echo two; sleep 30"))
        await box.running(handle)
        seen = b""
        while seen != b"one\ntwo\n":
            seen += await handle.read("stdout", len(seen))
            assert b"one\ntwo\n".startswith(seen)
        assert not handle.done()
        handle.cancel()


async def test_a_full_disk_here_hides_no_exit_code(box: Box) -> None:
    # a directory in the way stands for every reason not to write
    async with box.run() as engine:
        handle = engine.spawn("box", sh("sleep 1; exit 3"))
        await box.running(handle)
        (box.work_dir / engine.run_id / str(handle.job_id) / "stdout").mkdir()
        result = await handle
    assert result.exit_code == 3
    assert "are not saved" in result.detail
