"""What the README shows works as it is written."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from crankshaft_core.config import Config, reference

README = (Path(__file__).parents[2] / "README.md").read_text()


CONFIGURATION = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()


def test_the_configuration_reference_is_that_of_the_models() -> None:
    assert reference().strip() in CONFIGURATION


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_python_example_prints_what_it_says(tmp_path: Path) -> None:
    example = blocks("python")[0]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("1000 3\n", 0), done.stderr


def test_the_python_example_is_short() -> None:
    example = blocks("python")[0]
    assert len([line for line in example.splitlines() if line.strip()]) <= 15


@pytest.mark.parametrize("text", blocks("toml"))
def test_every_configuration_shown_loads(text: str) -> None:
    assert Config.parse(text).warnings == ()


@pytest.mark.parametrize("command", ["run", "backends", "check", "config", "init", "schema"])
def test_every_command_named_is_there(command: str) -> None:
    assert f"`crankshaft {command}" in README
    done = subprocess.run(
        [sys.executable, "-c", f"from crankshaft_core.cli import main; main([{command!r}, '--help'])"],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
