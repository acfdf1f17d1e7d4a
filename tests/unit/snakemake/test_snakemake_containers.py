"""What jobs in containers see of this machine, and what they are told of it."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from crankshaft_core.config import Config, DockerConfig
from snakemake_executor_crankshaft.containers import brings_this_python, hidden_from, of_the_image, with_mounts
from snakemake_executor_crankshaft.surroundings import Surroundings


def around(work_dir: str | None = "/w", *sources: str) -> Surroundings:
    return Surroundings(work_dir, work_dir, shared_software=True, env={}, jobs=1, is_preemptible=bool, sources=sources)


def box(more: str = "", surroundings: Surroundings | None = None) -> DockerConfig:
    config = Config.parse(f"[[backends]]\nname = 'box'\nkind = 'Docker'\nhost = 'unix:///s'\n{more}")
    backend = with_mounts(config, surroundings or around()).choose("box")
    assert isinstance(backend, DockerConfig)
    return backend


def mounts(backend: DockerConfig) -> list[tuple[str, str, bool]]:
    return [(mount.source, mount.target, mount.read_only) for mount in backend.mounts]


def test_the_working_directory_is_mounted_without_being_told() -> None:
    assert mounts(box()) == [("/w", "/w", False)]


def test_a_workflow_that_is_elsewhere_is_mounted_read_only() -> None:
    found = mounts(box(surroundings=around("/w", "/flow", "/w/config.yaml")))
    assert found == [("/w", "/w", False), ("/flow", "/flow", True)]


def test_what_is_mounted_already_is_not_mounted_again() -> None:
    assert mounts(box("mounts = ['/:/']", around("/w/deep"))) == [("/", "/", False)]


@pytest.mark.parametrize("more", ["host = 'tcp://far:2375'", "files = 'copy'\nhost = 'unix:///s'"])
def test_an_engine_that_cannot_see_this_machine_must_be_told_where_the_files_are(more: str) -> None:
    config = Config.parse(f"[[backends]]\nname = 'far'\nkind = 'Docker'\n{more}")
    backend = with_mounts(config, around()).choose("far")
    (told,) = hidden_from(backend, around())
    assert told.startswith("containers of backend 'far' do not see /w; ")
    assert told.endswith('mounts = ["/w:/w"]; else have files travel with the jobs: --shared-fs-usage none')


def test_a_file_outside_of_the_mounts_is_named_with_what_to_write() -> None:
    job: Any = SimpleNamespace(input=["in", "/data/ref.fa"], output=["../out"])
    told = hidden_from(box(), around(), job)
    assert ["/data/ref.fa" in told[0], '"/data:/data"' in told[0]] == [True, True]
    assert ["/out" in told[1], '"/:/"' in told[1]] == [True, True]


def test_a_rule_with_an_image_sees_the_working_directory_and_the_mounts_of_a_generic_backend() -> None:
    text = 'submit = "~{command}"\ncontainer = "podman"\nmounts = ["/ref:/ref:ro"]'
    generic = Config.parse(f"[[backends]]\nname = 'hpc'\nkind = 'Generic'\n{text}").choose("hpc")
    workflow = SimpleNamespace(deployment_settings=SimpleNamespace(deployment_method=[]))
    job: Any = SimpleNamespace(
        input=["in", "/ref/hg38.fa", "/data/reads.fq"],
        output=["out"],
        container_img_url="docker://bio/bwa",
        rule=SimpleNamespace(workflow=workflow),
        is_group=lambda: False,
    )
    (told,) = hidden_from(generic, around(), job)
    assert "do not see /data/reads.fq" in told
    job.container_img_url = None
    assert hidden_from(generic, around(), job) == []


def test_a_file_of_a_storage_comes_by_itself() -> None:
    class Stored(str):
        __slots__ = ()
        is_storage = True

    job: Any = SimpleNamespace(input=[Stored("/tmp/storage/x")], output=[])
    assert hidden_from(box(), around(), job) == []


def test_without_a_shared_file_system_nothing_is_mounted_or_missed() -> None:
    backend = box(surroundings=around(None))
    assert (mounts(backend), hidden_from(backend, around(None))) == ([], [])


def test_the_images_own_python_runs_the_job() -> None:
    assert not brings_this_python(box(), around())


def test_a_mount_of_this_environment_brings_this_python() -> None:
    assert brings_this_python(box(f"mounts = ['{sys.prefix}:{sys.prefix}:ro']"), around())


def test_an_environment_inside_the_working_directory_does_not() -> None:
    assert not brings_this_python(box(surroundings=around(sys.prefix)), around(sys.prefix))


def test_other_backends_share_this_machines_software() -> None:
    assert brings_this_python(Config.parse("").choose("local"), around())


def test_the_image_has_software_and_caches_of_its_own() -> None:
    given = [
        "--force",
        "--runtime-source-cache-path",
        "/c",
        "--shared-fs-usage",
        "sources",
        "source-cache",
        "--retries",
    ]
    assert of_the_image(given) == ["--force", "--shared-fs-usage", "sources", "--retries"]


def test_the_image_needs_no_storage_plugin_that_is_not_used() -> None:
    given = ["--storage-s3-retries", "5", "--storage-fs-x", "1", "2", "--nolock"]
    assert of_the_image(given, ["fs"]) == ["--storage-fs-x", "1", "2", "--nolock"]
    assert of_the_image(given) == ["--nolock"]


def test_nothing_else_that_is_shared_is_said_so() -> None:
    given = ["--shared-fs-usage", "software-deployment", "source-cache", "--config", "a=b"]
    assert of_the_image(given) == ["--shared-fs-usage", "none", "--config", "a=b"]
