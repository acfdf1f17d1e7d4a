"""CRANKSHAFT_BACKENDS__<NAME>__<FIELD> variables."""

from pathlib import Path
from typing import Any

import pytest

from crankshaft_core.config import Config
from crankshaft_core.config.variables import PREFIX
from crankshaft_core.errors import ConfigError

FILE = """
[[backends]]
name = "HPC-cluster"
kind = "Generic"
submit = "~{command}"
[[backends]]
name = "my__odd"
kind = "Docker"
[[backends]]
name = "my"
kind = "Docker"
"""


def load(directory: Path, **variables: str) -> Config:
    (directory / "Crankshaft.toml").write_text(FILE)
    return Config.load(cwd=directory, environ={PREFIX + name: value for name, value in variables.items()})


def problem(directory: Path, **variables: str) -> str:
    with pytest.raises(ConfigError) as error:
        load(directory, **variables)
    return str(error.value).replace(f"variable {PREFIX}", "")


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("HPC_CLUSTER__MAX_TASKS", "7", "max_tasks", 7),
        ("hpc_cluster__max_tasks", "7", "max_tasks", 7),
        ("HPC-CLUSTER__MAX-TASKS", "7", "max_tasks", 7),
        ("HPC_CLUSTER__DEFAULTS__RAM", "512MiB", "defaults.ram", 0.5),
        ("HPC_CLUSTER__DEFAULTS", "{ cpu = 3 }", "defaults.cpu", 3),
        ("HPC_CLUSTER__MONITOR_FREQUENCY", "5", "poll_interval", 5),
        ("HPC_CLUSTER__KEEP_DIRS", "true", "keep_dirs", True),
        ("HPC_CLUSTER__ACCOUNT", "12345", "account", "12345"),
        ("HPC_CLUSTER__ACCOUNT", "true", "account", "true"),
        ("HPC_CLUSTER__SUBMIT", "[ -f x ] && ~{command}", "submit", "[ -f x ] && ~{command}"),
        ("HPC_CLUSTER__ATTRIBUTES__Gres", "gpu:1", "attributes", {"Gres": "gpu:1"}),
        ("HPC_CLUSTER__ENV__OMP_NUM_THREADS", "[1]", "env.values", {"OMP_NUM_THREADS": "[1]"}),
        ("HPC_CLUSTER__ENV", '["PATH"]', "env.allow", ("PATH",)),
        ("HPC_CLUSTER__RETRY__ON", "lost", "retry.on", ("lost",)),
        ("HPC_CLUSTER__LOCALE__HOST", "login", "locale.host", "login"),
    ],
)
def test_a_variable_sets_a_field(tmp_path: Path, name: str, value: str, field: str, expected: Any):
    found: Any = load(tmp_path, **{name: value}).backends["HPC-cluster"]
    for part in field.split("."):
        found = getattr(found, part)
    assert found == expected


def test_a_name_that_no_file_has_is_a_new_backend(tmp_path: Path):
    config = load(tmp_path, CLOUD__KIND="TES", CLOUD__URL="https://tes.example.org")
    assert config.backends["cloud"].kind == "TES"


def test_the_built_in_backend_can_be_tuned(tmp_path: Path):
    assert load(tmp_path, LOCAL__MAX_TASKS="3").backends["local"].max_tasks == 3


def test_the_longest_name_that_fits_is_meant(tmp_path: Path):
    backends = load(tmp_path, MY__ODD__MAX_TASKS="3", MY__MAX_TASKS="4").backends
    assert (backends["my__odd"].max_tasks, backends["my"].max_tasks) == (3, 4)


def test_an_empty_variable_says_nothing(tmp_path: Path):
    assert load(tmp_path, MY__MAX_TASKS="").backends["my"].max_tasks == Config.parse(FILE).backends["my"].max_tasks


def test_other_variables_are_none_of_ours(tmp_path: Path):
    assert Config.load(cwd=tmp_path, environ={"CRANKSHAFT_BACKENDS": "x", "CRANKSHAFT_X": "y"}).backends


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"MY__QUEUE": "3", "my__queue": "4"}, "my__queue: sets the same field as CRANKSHAFT_BACKENDS__MY__QUEUE"),
        (
            {"MY__MAX_TASKS": "3", "MY__max-tasks": "4"},
            "MY__max-tasks: sets the same field as CRANKSHAFT_BACKENDS__MY__MAX_TASKS",
        ),
        ({"MY": "3"}, "MY: not of the form CRANKSHAFT_BACKENDS__NAME__FIELD"),
        ({"MY__": "3"}, "MY__: not of the form CRANKSHAFT_BACKENDS__NAME__FIELD"),
        ({"__MAX_TASKS": "3"}, "__MAX_TASKS: not of the form CRANKSHAFT_BACKENDS__NAME__FIELD"),
        ({"MY__MAX_TASKS": "ten"}, "MY__MAX_TASKS: backends.my.max_tasks: 'ten' is not a whole number"),
        ({"MY__MAX_TASK": "1"}, "MY__MAX_TASK: backends.my.max_task: unknown key; did you mean 'max_tasks'?"),
        ({"MY__DEFAULTS": "{ cpu"}, "MY__DEFAULTS: neither plain text nor a TOML list or table"),
        ({"CLOUD__MAX_TASKS": "1"}, "CLOUD__MAX_TASKS: backends.cloud.kind: missing; known: Docker, Generic, TES"),
    ],
)
def test_a_wrong_variable_is_named(tmp_path: Path, variables: dict[str, str], expected: str):
    assert problem(tmp_path, **variables) == expected


def test_a_variable_that_may_mean_two_backends_is_refused(tmp_path: Path):
    text = "".join(f'[[backends]]\nname = "{name}"\nkind = "Docker"\n' for name in ("a-b", "A_B"))
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"A_B__MAX_TASKS: means any of the backends A_B, a-b$"):
        Config.load("c.toml", cwd=tmp_path, environ={PREFIX + "A_B__MAX_TASKS": "1"})
