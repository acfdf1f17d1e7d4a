"""The plugin as Snakemake finds it."""

import subprocess
import sys

HEAVY = ("crankshaft_core", "snakemake_executor_crankshaft.run", "docker", "paramiko", "httpx")


def test_finding_the_plugin_does_not_load_the_core() -> None:
    script = f"""
import sys
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry
assert ExecutorPluginRegistry().is_installed("crankshaft")
print(*[name for name in {HEAVY!r} if name in sys.modules])
"""
    found = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert found.stdout.split() == []


def test_the_command_line_explains_the_settings() -> None:
    shown = subprocess.run([sys.executable, "-m", "snakemake", "--help"], check=True, capture_output=True, text=True)
    assert "--crankshaft-backend NAME" in shown.stdout
