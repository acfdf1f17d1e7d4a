"""Without a shared file system: the same workflow by a storage provider and by what Crankshaft carries itself."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable

import pytest

from tests.adapters.snakemake.buckets import s3_on_loopback
from tests.adapters.snakemake.elsewhere import BIN, QUICK, slurm_over_ssh, tes
from tests.adapters.snakemake.workflow import Workflow
from tests.services.docker_image import make_snakemake_image
from tests.services.running import ContainerEngine, Slurm

SNAKEFILE = """
configfile: "config.yaml"

rule all:
    input: "out/both", ["tree"] if config.get("tree") else []

rule make:
    input: "data/word"
    output: temp("made")
    log: "logs/make.log"
    benchmark: "bench/make.tsv"
    shell: "(pwd; cat {input}) | tee {log} > {output}"

rule join:
    input: "made"
    output: protected("out/both")
    script: "scripts/join.py"

rule tree:
    output: directory("tree")
    shell: "mkdir -p {output}/a; echo leaf > {output}/a/b"
"""
JOIN = """
from pathlib import Path
place, word = Path(snakemake.input[0]).read_text().splitlines()
Path(snakemake.output[0]).write_text(" ".join([snakemake.config["greeting"], word, place]))
"""
NONE = ("--shared-fs-usage", "none")

Place = Callable[[Workflow, pytest.FixtureRequest], tuple[str, ...]]
"""Writes the backend's configuration; returns what the command line has to say."""


def write(workflow: Workflow, config: str) -> None:
    workflow.write(SNAKEFILE, f"[[backends]]\nname = 'there'\n{config}", **{"config.yaml": "greeting: hello"})
    for name, text in (("scripts/join.py", JOIN), ("data/word", "word\n")):
        path = workflow.dir / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def slurm_by_fs(workflow: Workflow, request: pytest.FixtureRequest) -> tuple[str, ...]:
    if shutil.which("rsync") is None:
        pytest.skip("snakemake-storage-plugin-fs needs rsync (Debian: apt-get install rsync)")
    slurm: Slurm = request.getfixturevalue("slurm")
    workflow.env = slurm.env
    work_dir = workflow.place / "elsewhere"
    write(workflow, f"preset = 'slurm'\nwork_dir = '{work_dir}'\nenv = {{ PATH = '{BIN}:/usr/bin:/bin' }}\n{QUICK}")
    return by_fs(workflow)


def by_fs(workflow: Workflow) -> tuple[str, ...]:
    store = workflow.place / "store"
    shutil.copytree(workflow.dir / "data", store / "data")
    return ("--default-storage-provider", "fs", "--default-storage-prefix", str(store))


def by_s3(workflow: Workflow, request: pytest.FixtureRequest, *, inside: int | None = None) -> tuple[str, ...]:
    bucket = s3_on_loopback({"data/word": b"word\n"}, inside=inside)
    workflow.env = {**workflow.env, **bucket.__enter__()}
    request.addfinalizer(lambda: bucket.__exit__(None, None, None))
    return ("--default-storage-provider", "s3", "--default-storage-prefix", "s3://crates")


def docker_by_s3(workflow: Workflow, request: pytest.FixtureRequest) -> tuple[str, ...]:
    engine: ContainerEngine = request.getfixturevalue("docker_engine")
    workflow.env = engine.env
    write(workflow, f"kind = 'Docker'\nimage = '{make_snakemake_image(engine.url)}'\nnetwork = 'host'\n")
    return by_s3(workflow, request, inside=engine.daemons.pid("dockerd"))


def tes_by_s3(workflow: Workflow, request: pytest.FixtureRequest) -> tuple[str, ...]:
    write(workflow, tes(request))
    return by_s3(workflow, request)


def tes_carried(workflow: Workflow, request: pytest.FixtureRequest) -> tuple[str, ...]:
    write(workflow, f"{tes(request)}storage = 'file://{workflow.place}/storage'\n")
    return ()


def slurm_by_ssh(workflow: Workflow, request: pytest.FixtureRequest) -> tuple[str, ...]:
    write(workflow, slurm_over_ssh(request))
    return ()


def docker_carried(workflow: Workflow, request: pytest.FixtureRequest) -> tuple[str, ...]:
    engine: ContainerEngine = request.getfixturevalue("docker_engine")
    workflow.env = engine.env
    write(workflow, f"kind = 'Docker'\nimage = '{make_snakemake_image(engine.url)}'\n")
    return ()


PROVIDERS: list[Place] = [slurm_by_fs, tes_by_s3, docker_by_s3]
CARRIED: list[Place] = [slurm_by_ssh, tes_carried, docker_carried]
Ran = tuple[Workflow, str]


def run(place: Place, request: pytest.FixtureRequest, new: Callable[[str], Workflow], *flags: str) -> Ran:
    workflow = new(place.__name__)
    return workflow, workflow.run(*NONE, *place(workflow, request), *flags, timeout=280)


@pytest.fixture(scope="module", params=PROVIDERS, ids=lambda place: place.__name__)
def stored(request: pytest.FixtureRequest, shared_workflow: Callable[[str], Workflow]) -> Ran:
    return run(request.param, request, shared_workflow)


@pytest.fixture(scope="module", params=CARRIED, ids=lambda place: place.__name__)
def carried(request: pytest.FixtureRequest, shared_workflow: Callable[[str], Workflow]) -> Ran:
    return run(request.param, request, shared_workflow, "--config", "tree=1")  # the s3 plugin finds no directories


@pytest.mark.slow
def test_jobs_fetch_from_a_storage_and_bring_back_to_it(stored: Ran) -> None:
    workflow, said = stored
    assert "3 of 3 steps (100%) done" in said
    assert not workflow.exists("out")


@pytest.mark.slow
def test_outputs_come_back(carried: Ran) -> None:
    workflow, _ = carried
    greeting, word, place = workflow.read("out/both").split(" ")
    assert (greeting, word) == ("hello", "word")
    assert place != str(workflow.dir)
    assert workflow.read("tree/a/b") == "leaf\n"


@pytest.mark.slow
def test_logs_and_benchmarks_come_back(carried: Ran) -> None:
    workflow, _ = carried
    assert workflow.read("logs/make.log").endswith("word\n")
    assert workflow.read("bench/make.tsv").startswith("s\t")


@pytest.mark.slow
def test_outputs_are_protected_and_temporary_as_on_a_shared_file_system(carried: Ran) -> None:
    workflow, _ = carried
    assert (workflow.dir / "out" / "both").stat().st_mode & 0o222 == 0
    assert not workflow.exists("made")


CHECKPOINT = """
import os

checkpoint split:
    input: "words"
    output: directory("parts")
    shell: "mkdir {output}; for word in $(cat {input}); do echo $word > {output}/$word; done"

def parts(wildcards):
    directory = checkpoints.split.get().output[0]
    return sorted(f"{directory}/{name}" for name in os.listdir(directory) if name != ".snakemake_timestamp")

rule join:
    input: parts
    output: "joined"
    log: "join.log"
    shell: "cat {input} > {log}; exit 3"
"""


@pytest.fixture(scope="module")
def failed(shared_workflow: Callable[[str], Workflow]) -> Workflow:
    workflow = shared_workflow("carried-failed")
    config = f"[[backends]]\nname = 'here'\npreset = 'local'\nenv = {{ PATH = '{BIN}:/usr/bin:/bin' }}\n"
    said = workflow.write(CHECKPOINT, config, words="one two").run("joined", *NONE, ok=False)
    (workflow.dir / "said").write_text(said)
    return workflow


def test_what_a_checkpoint_made_is_known_there_and_the_log_of_a_failed_job_is_shown(failed: Workflow) -> None:
    assert re.search(r"Logfile join.log:\n *=+\n *one\n *two\n *=+\n", failed.read("said"))
    assert not failed.exists("joined")


def test_the_log_of_a_failed_job_comes_back(failed: Workflow) -> None:
    assert failed.read("join.log") == "one\ntwo\n"
