"""Jobs in containers: the image has Snakemake, the working directory is mounted, and the files are the user's."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable

import pytest

from tests.adapters.snakemake.workflow import Workflow
from tests.services.docker_image import SNAKEMAKE_IMAGE, make_snakemake_image
from tests.services.running import ContainerEngine

SNAKEFILE = """
rule all:
    input: "copy"

rule make:
    output: "made"
    shell: "echo $HOME $USER {config[word]} > {output}"

rule copy:
    input: "made"
    output: "copy"
    script: "join.py"
"""
CONFIG = """
[[backends]]
name = "box"
kind = "Docker"
image = "{image}"
user = "{uid}:{gid}"
"""
UID, GID = (4321, 1) if os.getuid() == 0 else (os.getuid(), os.getgid())
"""Somebody whom the image does not know."""
SCRIPT = "open(snakemake.output[0], 'w').write(open(snakemake.input[0]).read() + snakemake.config['word'])"


def configuration(image: str) -> str:
    return CONFIG.format(image=image, uid=UID, gid=GID)


def login() -> str:
    return next((entry.pw_name for entry in pwd.getpwall() if entry.pw_uid == UID), str(UID))


@pytest.fixture(scope="module")
def ran(docker_engine: ContainerEngine, shared_workflow: Callable[[str], Workflow]) -> Workflow:
    """A workflow that keeps its Snakefile and configuration outside of the working directory."""
    workflow = shared_workflow("docker")
    workflow.env = docker_engine.env
    image = make_snakemake_image(docker_engine.url)
    workflow.write(SNAKEFILE, configuration(image), **{"join.py": SCRIPT, "word.yaml": "word: hello"})
    out = workflow.place / "out"
    out.mkdir()
    out.chmod(0o777)
    workflow.umask = 0  # the containers are somebody else's, who writes to what Snakemake makes here
    config = str(workflow.dir / "Crankshaft.toml")
    workflow.run("--directory", str(out), "--configfile", "word.yaml", "--crankshaft-config", config)
    return workflow


@pytest.mark.slow
def test_the_users_files_and_home_are_there(ran: Workflow) -> None:
    made = ran.place / "out" / "made"
    assert made.read_text() == f"/tmp {login()} hello\n"
    assert (made.stat().st_uid, made.stat().st_gid) == (UID, GID)


@pytest.mark.slow
def test_a_script_beside_the_snakefile_is_found(ran: Workflow) -> None:
    assert (ran.place / "out" / "copy").read_text() == f"/tmp {login()} hello\nhello"


@pytest.mark.slow
def test_an_image_without_snakemake_is_told_so(workflow: Workflow, docker_engine: ContainerEngine) -> None:
    workflow.env = docker_engine.env
    workflow.write("rule a:\n output: 'x'\n shell: 'touch x'\n", configuration("busybox:local"))
    said = workflow.run(ok=False)
    assert "its image must have Snakemake in it (`python -m snakemake`)" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_an_input_that_containers_do_not_see_is_refused_before_anything_runs(workflow: Workflow) -> None:
    hidden = workflow.place / "data" / "ref.fa"
    hidden.parent.mkdir()
    hidden.touch()
    workflow.write(f"rule a:\n input: '{hidden}'\n output: 'x'\n shell: 'touch x'\n", configuration(SNAKEMAKE_IMAGE))
    said = workflow.run(ok=False)
    assert f"rule 'a': containers of backend 'box' do not see {hidden}" in said
    assert f'mounts = ["{hidden.parent}:{hidden.parent}"]' in said
