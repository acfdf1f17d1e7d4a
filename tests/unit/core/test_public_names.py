"""The package's face."""

from __future__ import annotations

import subprocess
import sys

import pytest

import crankshaft_core
from crankshaft_core import errors


def test_the_public_names_are_sorted() -> None:
    assert list(crankshaft_core.__all__) == sorted(crankshaft_core.__all__)


@pytest.mark.parametrize("name", crankshaft_core.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(crankshaft_core, name).__doc__


def test_every_error_is_public() -> None:
    assert set(errors.__all__) <= set(crankshaft_core.__all__)


def test_every_error_is_in_the_tree_at_the_top_of_its_module() -> None:
    assert [name for name in errors.__all__ if name not in (errors.__doc__ or "")] == []


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Motor'"):
        crankshaft_core.Motor  # noqa: B018


def test_importing_the_package_imports_nothing_heavy() -> None:
    script = "import sys, crankshaft_core; print(*(set(sys.modules) & {'pydantic', 'asyncio', 'docker', 'httpx'}))"
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
