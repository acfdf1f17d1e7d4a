"""The exact command line of each runtime, as the shell that replaces itself with it would run it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from crankshaft_core.backends.base import Attempt
from crankshaft_core.backends.generic.jobscript import Job
from crankshaft_core.backends.generic.local_runs import Header
from crankshaft_core.errors import SubmitError
from crankshaft_core.staging import StagedInput
from crankshaft_core.task import Execution, Input, Output, Task
from tests.unit.generic.making import BATCH, attempt, config, renderer

ROOT = "/w/k1"
TASK = f"{ROOT}/tasks/k1-1"
SAMTOOLS = Execution(image="samtools:1.19", program="samtools", args=("view", "a b"), work_dir="/data")
OF_THE_JOB = [
    f"--env={name}"
    for name in (
        "CRANKSHAFT_ATTEMPT",
        "CUDA_VISIBLE_DEVICES",
        "ROCR_VISIBLE_DEVICES",
        "OMP_NUM_THREADS",
        "SLURM_JOB_ID",
        "SLURM_CPUS_PER_TASK",
    )
]
ENGINE = [
    *("--rm", "--init", "--name=k1-1-0", "--entrypoint=", "--log-driver=none", "--stop-signal=CONT"),
    *(
        "--security-opt=label=disable",
        "--workdir=/data",
        "--label=crankshaft.run=k1",
        "--label=crankshaft.attempt=k1-1",
    ),
]
USER = ["--user", f"{os.geteuid()}:{os.getgid()}"]


def job(runtime: str, execution: Execution | Attempt, more: str = "") -> Job:
    made = config(f"container = '{runtime}'\n{BATCH}\n{more}")
    one = execution if isinstance(execution, Attempt) else attempt(execution)
    return renderer(ROOT, made, env_file=True).job(one)


def words(made: Job, tmp_path: Path, show: str = "", **environ: str) -> list[str]:
    """The words of the command, and the values of variables, as told by a fake runtime that does nothing else."""
    fake = tmp_path / "bin" / made.steps[0].runtime
    fake.parent.mkdir(exist_ok=True)
    fake.write_text(f'#!/bin/sh\nprintf "%s\\0" "${{0##*/}}" "$@" {show}\n')
    fake.chmod(0o755)
    text = f"mkdir() {{ :; }}\nstep() {{\n{made.steps[0].launch}\n}}\nstep"
    env = {"PATH": f"{fake.parent}:/usr/bin:/bin", **environ}
    done = subprocess.run(["bash", "-c", text], env=env, capture_output=True, text=True, check=True)
    return done.stdout.split("\0")[:-1]


def binds(made: Sequence[str]) -> list[str]:
    """What is mounted."""
    return [word.removeprefix("--mount=type=bind,") for word in made if word.startswith("--mount=")]


def test_apptainer(tmp_path: Path) -> None:
    assert words(job("apptainer", SAMTOOLS), tmp_path) == [
        *("apptainer", "exec", "--cleanenv", "--pid", "--home", "/data", "--pwd", "/data"),
        *("--bind", "/data", "--bind", TASK),
        "/w/images/samtools-1.19-4f16fb93.sif",
        *("samtools", "view", "a b"),
    ]


def test_singularity_with_gpus_mounts_and_arguments_of_the_site(tmp_path: Path) -> None:
    more = "mounts = ['/ref:/ref:ro', '/db/v3:/db']\ncontainer_args = '--bind \"/a b\" --nohttps'"
    execution = SAMTOOLS.model_copy(update={"image": "/images/samtools.sif"})
    assert words(job("singularity", attempt(execution, gpu=1), more), tmp_path) == [
        *("singularity", "exec", "--cleanenv", "--pid", "--home", "/data", "--pwd", "/data"),
        *("--bind", "/data", "--bind", "/db/v3:/db", "--bind", "/ref:/ref:ro", "--bind", TASK),
        *("--nv", "--bind", "/a b", "--nohttps", "/images/samtools.sif", "samtools", "view", "a b"),
    ]


def test_docker(tmp_path: Path) -> None:
    groups = [f"--group-add={group}" for group in [os.getgid(), *(g for g in os.getgroups() if g != os.getgid())]]
    made = words(job("docker", SAMTOOLS), tmp_path)
    assert made == [
        *("docker", "run", *ENGINE),
        *("--mount=type=bind,source=/data,target=/data", f"--mount=type=bind,source={TASK},target={TASK}"),
        *("--env=HOME=/tmp", *OF_THE_JOB, *USER, *groups),
        *("samtools:1.19", "samtools", "view", "a b"),
    ]


def test_podman_with_variables_limits_and_standard_input(tmp_path: Path) -> None:
    execution = SAMTOOLS.model_copy(update={"env": {"TOKEN": "s3cret", "HOME": "/h"}, "stdin": "in.txt"})
    ours = [] if os.geteuid() == 0 else ["--userns=keep-id", "--annotation=run.oci.keep_original_groups=1"]
    assert words(job("podman", attempt(execution, cpu_limit=1.5, ram_limit=2, gpu=1)), tmp_path) == [
        *("podman", "run", *ENGINE),
        *("--mount=type=bind,source=/data,target=/data", f"--mount=type=bind,source={TASK},target={TASK}"),
        *(*OF_THE_JOB, "--env=HOME", "--env=TOKEN", "--interactive"),
        *("--cpus=1.5", "--memory=2147483648b", "--memory-swap=2147483648b", "--device=nvidia.com/gpu=all"),
        *(*USER, *ours, "samtools:1.19", "samtools", "view", "a b"),
    ]


def test_shell_text_is_a_file_that_the_images_shell_reads(tmp_path: Path) -> None:
    made = job("docker", Execution(image="busybox", command="echo"))
    assert words(made, tmp_path)[-3:] == ["busybox", "/bin/sh", f"{TASK}/cmd.0"]


def test_a_shell_that_is_chosen_is_used_in_the_image_too(tmp_path: Path) -> None:
    made = job("docker", Execution(image="busybox", command="echo"), "shell = 'bash -e'")
    assert words(made, tmp_path)[-4:] == ["busybox", "bash", "-e", f"{TASK}/cmd.0"]


def test_variables_of_the_task_get_into_an_apptainer_image_by_its_own_names(tmp_path: Path) -> None:
    made = job("apptainer", SAMTOOLS.model_copy(update={"env": {"TOKEN": "x"}}))
    show = '"$APPTAINERENV_TOKEN" "$APPTAINERENV_CUDA_VISIBLE_DEVICES" "$APPTAINER_NO_EVAL"'
    told = words(made, tmp_path, show, TOKEN="$(two)\nlines", CUDA_VISIBLE_DEVICES="3")
    assert told[-3:] == ["$(two)\nlines", "3", "1"]


def test_variables_for_the_runtime_itself_stay_outside(tmp_path: Path) -> None:
    made = job("docker", SAMTOOLS, "env = { DOCKER_HOST = 'unix:///e', LANG = 'C' }")
    assert "--env=LANG" in words(made, tmp_path)
    assert not [word for word in words(made, tmp_path) if "DOCKER_HOST" in word]


@pytest.mark.parametrize(
    ("runtime", "expected"),
    [("apptainer", ["--bind", "{}"]), ("docker", ["--mount", "type=bind,source={0},target={0}", "--env", "TMPDIR"])],
)
def test_the_jobs_own_temporary_directory_is_seen(runtime: str, expected: list[str], tmp_path: Path) -> None:
    told = " ".join(words(job(runtime, SAMTOOLS), tmp_path, TMPDIR=str(tmp_path)))
    assert " ".join(expected).format(tmp_path) in told


def test_no_value_of_a_variable_is_in_a_script() -> None:
    made = job("docker", SAMTOOLS.model_copy(update={"env": {"TOKEN": "s3cret"}}))
    assert "s3cret" not in made.script()


def test_inputs_are_read_only_and_directories_of_outputs_are_made(tmp_path: Path) -> None:
    source = tmp_path / "reads.fq"
    source.touch()
    linked, placed = Input(path="reads.fq", url=str(source)), Input(path="/ref/hg38.fa", url="/ref/hg38.fa")
    outputs = (Output(path="/out/a/x.bam"), Output(path="/out/*.txt"), Output(path="beside.txt"))
    task = Task(executions=(SAMTOOLS,), inputs=(linked, placed), outputs=outputs, volumes=("/scratch",))
    made = job("docker", Attempt("k1-1", "k1", 1, task, inputs=(StagedInput(linked, file=source),)))
    assert binds(words(made, tmp_path)) == [
        "source=/data,target=/data",
        "source=/out,target=/out",
        "source=/ref/hg38.fa,target=/ref/hg38.fa,readonly",
        f"source={TASK}/own.0,target=/scratch",
        f"source={source},target={source},readonly",
        f"source={TASK},target={TASK}",
    ]
    assert "[ -d /out ] || mkdir -p -- /out" in made.steps[0].launch


def test_what_is_beneath_a_mounted_directory_is_not_mounted_again(tmp_path: Path) -> None:
    task = Task(executions=(SAMTOOLS,), outputs=(Output(path="/data/out/x.bam"),))
    made = job("docker", Attempt("k1-1", "k1", 1, task))
    assert binds(words(made, tmp_path))[0] == "source=/data,target=/data"
    assert len(binds(words(made, tmp_path))) == 2


@pytest.mark.parametrize(("runtime", "path"), [("docker", "/a,b"), ("apptainer", "/a:b")])
def test_a_path_that_the_runtime_would_cut_is_refused(runtime: str, path: str) -> None:
    with pytest.raises(SubmitError, match=f"{runtime} cannot mount {path}"):
        job(runtime, SAMTOOLS.model_copy(update={"work_dir": path}))


def test_each_execution_has_a_container_of_its_own() -> None:
    made = job("docker", attempt(SAMTOOLS, Execution(command="plain"), SAMTOOLS)).script()
    assert [name in made for name in ("--name=k1-1-0", "--name=k1-1-1", "--name=k1-1-2")] == [True, False, True]


def test_one_that_names_no_image_runs_as_ever() -> None:
    assert (
        job("docker", Execution(command="plain")).script()
        == renderer(ROOT, config(BATCH), env_file=True).job(attempt(Execution(command="plain"))).script()
    )


def test_nothing_is_removed_that_is_no_container_of_an_engine() -> None:
    assert "_ck_boxed" not in job("apptainer", SAMTOOLS).script()
    assert "_ck_boxed=1" in job("podman", SAMTOOLS).script()


def test_an_engine_is_asked_to_end_what_the_scheduler_cannot_reach() -> None:
    assert "podman stop -t 3 k1-1-0\n" in job("podman", SAMTOOLS, "kill_after = '2.5s'").script()


def test_the_header_tells_the_images() -> None:
    header = Header.read(job("podman", attempt(SAMTOOLS, Execution(command="x"))).script())
    assert header is not None
    assert (header.around.runtime, *header.around.images) == ("podman", "samtools:1.19", "")


def test_a_template_that_is_the_work_itself_runs_no_containers() -> None:
    made = config("submit = 'nice ~{command}'\ncontainer = 'podman'")
    with pytest.raises(SubmitError, match=r'container = \'podman\' needs submit = "~\{command\}"'):
        renderer(ROOT, made).job(attempt(SAMTOOLS))


def test_an_image_without_container_names_both_ways() -> None:
    with pytest.raises(SubmitError, match=r'set container = "apptainer" .* or set ignore_image = true'):
        renderer(ROOT).job(attempt(SAMTOOLS))
