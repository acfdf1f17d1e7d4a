"""The presets: data that can be used, and that says what it was verified on."""

from __future__ import annotations

from pathlib import Path

import pytest

import crankshaft_core.backends
from crankshaft_core.backends.generic.scheduler import Scheduler
from crankshaft_core.backends.generic.template import Template
from crankshaft_core.task import Resources
from tests.unit.generic.making import attempt, config, renderer

FOLDER = Path(crankshaft_core.backends.__file__).parent / "presets"
NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))
BATCH = [name for name in NAMES if name != "local"]


def test_all_are_there() -> None:
    assert NAMES == ["flux", "htcondor", "local", "lsf", "pbs", "sge", "slurm", "torque"]


@pytest.mark.parametrize("name", NAMES)
def test_each_says_what_it_was_verified_on_or_that_it_was_not(name: str) -> None:
    text = (FOLDER / f"{name}.toml").read_text()
    assert ("Verified on" in text) != ("not run on the real system" in text)


@pytest.mark.parametrize("name", BATCH)
@pytest.mark.parametrize("resources", [{}, {"cpu": 4, "ram": 8, "gpu": 1, "time": "2h", "disk": 10}])
def test_each_fills_with_and_without_resources(name: str, resources: dict[str, object]) -> None:
    made = config(f"preset = '{name}'")
    one = attempt("true", **resources)
    rendered = renderer("/w/k1", made)
    command = rendered.submit_command(one, rendered.job(one))
    assert "~{" not in command
    assert "/w/k1/tasks/k1-1/job" in command


@pytest.mark.parametrize("name", BATCH)
def test_no_memory_asked_for_is_no_memory_flag(name: str) -> None:
    made = config(f"preset = '{name}'")
    one = attempt("true")
    assert one.task.resources == Resources()
    rendered = renderer("/w/k1", made)
    assert "mem" not in rendered.submit_command(one, rendered.job(one)).replace("h_vmem", "mem")


@pytest.mark.parametrize("name", BATCH)
def test_each_makes_a_scheduler(name: str) -> None:
    made = config(f"preset = '{name}'")
    assert Scheduler(made)
    assert made.job_id_regex
    assert made.kill


def test_slurm_asks_for_what_the_task_asks_for() -> None:
    made = config("preset = 'slurm'\nqueue = 'long'\naccount = 'acct'\nextra_args = '--exclusive --nice=5'")
    one = attempt("true", cpu=4, ram=8, time="90m", gpu=2)
    rendered = renderer("/w/k1", made)
    assert rendered.submit_command(one, rendered.job(one)) == (
        "sbatch --parsable --no-requeue --export=NONE --job-name=k1-1 --comment='crankshaft k1 align' "
        "--output=/w/k1/tasks/k1-1/sched.log --ntasks=1 --cpus-per-task=4 --mem=8192M --time=90 --gpus-per-task=2 "
        "--partition=long --account=acct --exclusive --nice=5 /w/k1/tasks/k1-1/job"
    )


def test_grid_engine_names_a_parallel_environment_only_for_several_cores() -> None:
    made = config("preset = 'sge'")
    commands = []
    for cpu in (1, 2):
        one = attempt("true", cpu=cpu, ram=4)
        rendered = renderer("/w/k1", made)
        commands.append(rendered.submit_command(one, rendered.job(one)))
    assert "-pe" not in commands[0]
    assert "-pe smp 2 -l h_vmem=2048M" in commands[1]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("field", ["submit", "monitor", "monitor_all", "kill", "diagnose"])
def test_every_template_can_be_read(name: str, field: str) -> None:
    text = getattr(config(f"preset = '{name}'"), field)
    assert text is None or Template.parse(text, label=field).text == text
