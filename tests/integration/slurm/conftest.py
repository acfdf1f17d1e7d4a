"""A Crankshaft.toml for the real Slurm, and the SLURM_CONF that its commands need in the environment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from crankshaft_core.config import Config
from tests.services.running import Slurm


@pytest.fixture
def configured(slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Config]:
    """The configuration with more lines of TOML."""
    for name, value in slurm.env.items():
        monkeypatch.setenv(name, value)
    text = f"""
[[backends]]
name = 'slurm'
preset = 'slurm'
work_dir = '{tmp_path / "work"}'
poll_interval = 0.2
sweep_interval = 1
grace = '2s'
kill_after = '2s'
submit_rate = 1000
keep_dirs = true
"""
    return lambda more: Config.parse(text + more)


@pytest.fixture
def config(configured: Callable[[str], Config]) -> Config:
    return configured("")
