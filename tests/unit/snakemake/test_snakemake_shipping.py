"""What travels with a job, and what comes back."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from crankshaft_core.config import BackendConfig, Config
from crankshaft_core.errors import ConfigError
from crankshaft_core.task import Execution, Task
from snakemake_executor_crankshaft.modes import Mode, Ways
from snakemake_executor_crankshaft.shipping import Shipping
from snakemake_executor_crankshaft.sources import UNPACK, packed_sources, sources_input
from tests.unit.snakemake.parsed import jobs_of

SNAKEFILE = """
rule all:
    input: "sum", "grown", "odd[1]"

rule sum:
    input: "in", "tree", "tree/leaf", "/bin/sh"
    output: "sum", directory("made"), temp("scratch")
    log: "logs/sum.log", "made/inner.log"
    benchmark: "bench/sum.tsv"
    shell: "true"

rule grow:
    input: "in"
    output: update("grown")
    shell: "true"

rule odd:
    input: "../out"
    output: "odd[1]"
    shell: "true"
"""
CARRIED = Shipping(Ways(Mode.CARRIED))
HERE = Config.parse("[[backends]]\nname = 'here'\npreset = 'local'\n").choose("here")
BOX = Config.parse("[[backends]]\nname = 'box'\nkind = 'Docker'\n").choose("box")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("shipping") / "work"
    for name in ("in", "grown", "tree/leaf", "../out"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).touch()
    return place


@pytest.fixture(scope="module")
def jobs(place: Path) -> dict[str, Any]:
    return jobs_of(SNAKEFILE, place)


@pytest.fixture(autouse=True)
def _there(place: Path) -> Any:
    with contextlib.chdir(place):
        yield


def loaded(job: Any, backend: BackendConfig) -> Task:
    return CARRIED.loaded(Task(executions=(Execution(program="true"),)), job, backend)


def test_what_is_in_a_directory_that_travels_travels_once(jobs: dict[str, Any], place: Path) -> None:
    sent = {item.path: (item.url, item.type) for item in loaded(jobs["sum"], HERE).inputs}
    assert sent == {"in": (str(place / "in"), "FILE"), "tree": (str(place / "tree"), "DIRECTORY")}


def test_absolute_inputs_are_sent_into_containers_only(jobs: dict[str, Any]) -> None:
    assert "/bin/sh" in {item.path for item in loaded(jobs["sum"], BOX).inputs}


def test_outputs_logs_and_benchmarks_come_back_but_not_what_nobody_needs(jobs: dict[str, Any]) -> None:
    back = {item.path: item.type for item in loaded(jobs["sum"], HERE).outputs}
    logs = {"logs/sum.log": "FILE", "made/inner.log": "FILE"}
    assert back == {"sum": "FILE", "made": "DIRECTORY", "bench/sum.tsv": "FILE", **logs}


def test_logs_come_back_from_a_job_that_failed_as_well(jobs: dict[str, Any]) -> None:
    always = {item.path for item in loaded(jobs["sum"], HERE).outputs if item.always}
    assert always == {"logs/sum.log", "made/inner.log"}


def test_what_a_job_changes_is_sent_as_a_copy(jobs: dict[str, Any]) -> None:
    sent = {item.path: item.read_only for item in loaded(jobs["grow"], HERE).inputs}
    assert sent == {"in": True, "grown": False}


def test_names_that_cannot_travel_are_told_by_rule(jobs: dict[str, Any]) -> None:
    (problem,) = CARRIED.problems([jobs["odd"]])
    assert problem.startswith("rule 'odd': input ../out: outside of the working directory")


def test_an_output_cannot_be_a_pattern(place: Path) -> None:
    snakefile = "rule odd:\n output: 'odd[1]'\n shell: 'true'\n"
    (problem,) = CARRIED.problems(jobs_of(snakefile, place).values())
    assert problem == "rule 'odd': output odd[1]: without a shared file system a name cannot hold any of * ? ["


class Sources:
    """As much of a workflow as sources are asked of."""

    def __init__(self, *files: str) -> None:
        self.dag = self
        self.get_sources = lambda: set(files)


def unpacked(sources: bytes, target: Path) -> None:
    given = sources_input(sources)
    (target / given.path).write_bytes(sources)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(UNPACK, shell=True, cwd=target, env=environment, check=True)


def test_sources_are_unpacked_and_leave_what_is_there(place: Path, tmp_path: Path) -> None:
    (place / "a").mkdir()
    for name in ("a/script.py", "given"):
        (place / name).write_text("of the sources")
    (tmp_path / "given").write_text("an input")
    unpacked(packed_sources(Sources("a/script.py", "given", "deleted"), say=print), tmp_path)
    assert (tmp_path / "a" / "script.py").read_text() == "of the sources"
    assert (tmp_path / "given").read_text() == "an input"


def test_a_large_file_is_no_source(place: Path) -> None:
    with (place / "large").open("wb") as file:
        file.truncate(10_000_001)
    said: list[str] = []
    assert len(packed_sources(Sources("large"), say=said.append)) < 1000
    assert said == ["large: more than 10 MB, not sent with the workflow's sources"]


def test_sources_elsewhere_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^\.\./config\.yaml: outside of the working directory"):
        packed_sources(Sources("Snakefile", "../config.yaml"), say=print)
