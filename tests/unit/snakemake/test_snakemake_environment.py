"""Which variables a job gets."""

from crankshaft_core.config import Environment
from snakemake_executor_crankshaft.environment import job_environment

CALLER = {"PATH": "/opt/bin:/bin", "CONDA_PREFIX": "/conda/ngs", "HOME": "/home/x", "LC_ALL": "C", "TOKEN": "secret"}


def test_an_activated_environment_travels_where_software_is_shared() -> None:
    env = job_environment({}, Environment(), CALLER, shared=True)
    assert env == {"PATH": "/opt/bin:/bin", "CONDA_PREFIX": "/conda/ngs"}


def test_nothing_of_it_travels_elsewhere() -> None:
    assert job_environment({}, Environment(), CALLER, shared=False) == {}


def test_declared_variables_always_travel() -> None:
    env = job_environment({"TOKEN": "it's\n$x"}, Environment(), CALLER, shared=False)
    assert env == {"TOKEN": "it's\n$x"}


def test_the_backend_may_name_what_travels() -> None:
    env = job_environment({}, Environment(allow=("LC_*",)), CALLER, shared=True)
    assert env == {"LC_ALL": "C"}


def test_the_backend_may_keep_variables_back() -> None:
    env = job_environment({}, Environment(deny=("CONDA_*",)), CALLER, shared=True)
    assert env == {"PATH": "/opt/bin:/bin"}


def test_a_value_of_the_backend_wins_over_the_callers() -> None:
    env = job_environment({}, Environment(values={"PATH": "/usr/bin"}), CALLER, shared=True)
    assert "PATH" not in env


def test_a_declared_variable_wins_over_the_backend() -> None:
    env = job_environment({"TOKEN": "a"}, Environment(values={"TOKEN": "b"}, deny=("TOKEN",)), CALLER, shared=True)
    assert env["TOKEN"] == "a"
