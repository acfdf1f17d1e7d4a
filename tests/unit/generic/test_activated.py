"""Which active environment a job goes without."""

from __future__ import annotations

from crankshaft_core.backends.generic.activated import left_behind

CONDA = {"CONDA_PREFIX": "/opt/conda/envs/ngs", "CONDA_DEFAULT_ENV": "ngs"}


def test_a_conda_environment_is_named() -> None:
    assert left_behind(CONDA, {}, prologue="") == "Conda env 'ngs'"


def test_one_made_by_its_path_is_named_by_its_directory() -> None:
    assert left_behind({**CONDA, "CONDA_DEFAULT_ENV": "/proj/envs/ngs"}, {}, prologue="") == "Conda env 'ngs'"


def test_a_virtual_environment_is_named() -> None:
    assert left_behind({"VIRTUAL_ENV": "/proj/rna"}, {}, prologue="") == "Virtual environment 'rna'"


def test_one_whose_path_is_passed_is_there() -> None:
    assert left_behind(CONDA, {"PATH": "/bin:/opt/conda/envs/ngs/bin"}, prologue="") == ""


def test_one_that_the_prologue_activates_is_there() -> None:
    assert left_behind(CONDA, {}, prologue="conda activate ngs") == ""


def test_none_is_active() -> None:
    assert left_behind({"PATH": "/bin"}, {}, prologue="") == ""
