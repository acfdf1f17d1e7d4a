"""Sizes that Snakemake makes up are told from those that a person wrote."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from snakemake_executor_crankshaft.guesses import guesses

snakemake_resources: Any = pytest.importorskip("snakemake.resources")
if not hasattr(snakemake_resources, "Resources"):
    pytest.skip("this old Snakemake has no class for resources", allow_module_level=True)
Resources = snakemake_resources.Resources


class Inputs(list[str]):
    def __init__(self, size_mb: float) -> None:
        super().__init__(["in"] if size_mb else [])
        self.size_mb = size_mb


class OneJob:
    """A job with Snakemake's real default resources, its rule's own over them."""

    def __init__(self, size_mb: float, own: Mapping[str, Any], defaults: Any) -> None:
        self.input = Inputs(size_mb)
        declared = defaults.copy()
        declared.update(own)
        self.rule = SimpleNamespace(resources=declared)
        known = {"input": self.input, "attempt": 1, "threads": 1, "rulename": "a", "async_run": None}
        self.resources = {name: item.evaluate({}, **known).value for name, item in declared.items()}

    def is_group(self) -> bool:
        return False


def guessed(size_mb: float, own: Mapping[str, Any] | None = None, defaults: Any = None) -> frozenset[str]:
    job: Any = OneJob(size_mb, own or {}, defaults or Resources.default("full"))
    return guesses(job)


@pytest.mark.parametrize("size_mb", [0, 0.4, 800.3, 3000, 100_000])
def test_what_nobody_wrote_is_a_guess(size_mb: float) -> None:
    assert guessed(size_mb) == {"mem_mb", "disk_mb"}


def test_a_number_is_a_request() -> None:
    assert guessed(10, {"mem_mb": 1000}) == {"disk_mb"}


def test_a_function_is_a_request() -> None:
    assert guessed(10, {"mem_mb": lambda wildcards, attempt: 500 * attempt}) == {"disk_mb"}


def test_a_default_from_the_command_line_is_a_request() -> None:
    defaults = Resources.parse(["mem_mb=4000", "disk_mb=2*3000"], defaults="full", allow_expressions=True)
    assert guessed(10, defaults=defaults) == frozenset()


def test_no_defaults_are_no_guesses() -> None:
    assert guessed(10, defaults=Resources.default("bare")) == frozenset()
