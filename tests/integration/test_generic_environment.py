"""Which of the caller's variables reach jobs and processes, as `env` of the backend says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.running import attempt, batch, config, opened, outcome

SHOW = 'echo "${CK_ONE-unset} ${CK_TWO-unset} ${OTHER-unset}"'


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CK_ONE", "CK_TWO", "OTHER"):
        monkeypatch.setenv(name, f"{name}'s value")


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ("", "unset unset unset"),
        ("env = ['CK_*']", "CK_ONE's value CK_TWO's value unset"),
        ("env = { 'CK_*' = true, CK_TWO = false, OTHER = 'set' }", "CK_ONE's value unset set"),
    ],
)
async def test_a_job_gets_what_is_passed_on(tmp_path: Path, env: str, expected: str) -> None:
    async with opened(config(tmp_path, f"{env}\n{batch(tmp_path)}")) as backend:
        assert (await outcome(backend, attempt(SHOW))).stdout_tail == f"{expected}\n"


async def test_a_process_of_this_machine_inherits_all_but_what_is_kept_back(tmp_path: Path) -> None:
    async with opened(config(tmp_path, "submit = '~{command}'\nenv = { 'CK_*' = false }")) as backend:
        assert (await outcome(backend, attempt(SHOW))).stdout_tail == "unset unset OTHER's value\n"


@pytest.mark.parametrize(("more", "named"), [("", True), ("prologue = 'module load apptainer'", False)])
async def test_check_tells_of_a_runtime_that_is_not_there_unless_the_prologue_may_bring_it(
    tmp_path: Path, more: str, named: bool
) -> None:
    made = config(tmp_path, f"submit = '~{{command}}'\ncontainer = 'singularity'\n{more}")
    async with opened(made) as backend:
        health = await backend.check()
    assert ("singularity: command not found" in health.summary) is named
