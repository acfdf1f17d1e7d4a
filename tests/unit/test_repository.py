"""What holds for the repository as a whole."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import crankshaft_core

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "crankshaft_core",
    "prefect_crankshaft",
    "snakemake_executor_crankshaft",
    "snakemake_executor_plugin_crankshaft",
)
SCRIPTS = ("demo", "test", "check", "bench", "lock")


def tracked() -> list[Path]:
    """The files that git knows; none where this is no clone."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = listed.stdout.split("\0") if listed.returncode == 0 else []
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """Every tracked text file but this one, by its name."""
    files = [path for path in tracked() if path != Path(__file__)]
    if not files:
        pytest.skip("not a git clone: there is no list of its files; get it with git clone")
    return {str(path.relative_to(ROOT)): path.read_text(errors="ignore") for path in files}


def lines_with(pattern: str, texts: dict[str, str]) -> list[str]:
    expression = re.compile(pattern)
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        if expression.search(line)
    ]


def test_no_file_holds_a_path_of_one_persons_machine(texts: dict[str, str]) -> None:
    assert lines_with(r"(?<![\w.~}])/(work|root|Users)/\w|(?<![\w.~}])/home/(?!(x|me|user)\b)\w", texts) == []


def test_no_file_names_the_host_of_a_package_registry(texts: dict[str, str]) -> None:
    assert lines_with(r"pypi\.org|pythonhosted|index-url[ =]+.?https?:|npmjs\.(org|com)", texts) == []


def test_lock_files_pin_every_package_with_hashes_and_know_no_url() -> None:
    for name in ("demo", "dev", "uv"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        requirements = [block for block in re.split(r"\n(?=\S)", text) if not block.startswith("#")]
        pinned = re.compile(r"[\w.\-]+==\S+ .*--hash=sha256:", re.DOTALL)
        assert [block for block in requirements if not pinned.match(block)] == [], name
        assert "://" not in text, name


def test_what_the_demo_installs_is_what_the_tests_install() -> None:
    demo, dev = (
        set(re.findall(r"^[\w.\-]+==\S+", (ROOT / "requirements" / f"{name}.txt").read_text(), re.MULTILINE))
        for name in ("demo", "dev")
    )
    assert demo <= dev


def test_every_declared_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    declared = project["project"]["dependencies"] + [
        requirement
        for group in (project["project"]["optional-dependencies"], project["dependency-groups"])
        for requirements in group.values()
        for requirement in requirements
        if isinstance(requirement, str) and not requirement.startswith("crankshaft")
    ]
    locked = set(re.findall(r"^([\w.\-]+)==", (ROOT / "requirements/dev.txt").read_text(), re.MULTILINE))
    names = {re.split(r"[^\w.\-]", requirement)[0].lower() for requirement in declared}
    assert names - locked == set()


@pytest.mark.parametrize("script", [*(f"scripts/{name}" for name in SCRIPTS), ".ci/run"])
def test_scripts_can_be_run_and_are_plain_shell(script: str) -> None:
    path = ROOT / script
    assert os.access(path, os.X_OK)
    assert path.read_text().startswith("#!/bin/sh\n")
    assert subprocess.run(["sh", "-n", path], check=False).returncode == 0


def test_the_readme_names_both_commands() -> None:
    readme = (ROOT / "README.md").read_text()
    assert "scripts/demo" in readme
    assert "scripts/test" in readme


def test_continuous_integration_runs_only_what_the_readme_names() -> None:
    lines = [line for line in (ROOT / ".ci/run").read_text().splitlines() if not line.startswith(("#", "set ", "cd "))]
    commands = [line.split()[0] for line in lines if not re.fullmatch(r"status=0|exit \$status", line)]
    readme = (ROOT / "README.md").read_text()
    assert len(commands) == 2
    assert [command for command in commands if command not in readme] == []


def modules_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_the_core_imports_neither_framework() -> None:
    loaded = modules_after("import crankshaft_core, crankshaft_core.cli")
    assert {"prefect", "snakemake", "snakemake_interface_executor_plugins"} & loaded == set()


def test_no_file_of_the_core_names_a_framework_in_an_import() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / "crankshaft_core").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
        if name.split(".")[0].startswith(("prefect", "snakemake"))
    ]
    assert found == []


def test_importing_the_core_starts_no_thread_and_loads_no_vendor_sdk() -> None:
    assert {"docker", "paramiko", "httpx"} & modules_after("import crankshaft_core") == set()
    code = "import threading, crankshaft_core; print(threading.active_count())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_carries_its_types(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


def test_all_of_the_core_is_sorted_and_every_name_in_it_exists() -> None:
    assert crankshaft_core.__all__ == sorted(crankshaft_core.__all__)
    assert [name for name in crankshaft_core.__all__ if not hasattr(crankshaft_core, name)] == []
