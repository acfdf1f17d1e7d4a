"""Where results are kept: private, gone when all went well, found again by the same flow run."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from prefect_crankshaft.keeping import Keeping


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


async def test_it_is_readable_by_its_owner_alone() -> None:
    with Keeping("a-flow-run") as keeping:
        assert stat.S_IMODE(keeping.directory.stat().st_mode) == 0o700
        assert stat.S_IMODE((keeping.directory / "key").stat().st_mode) == 0o600
        await keeping.journal.aclose()


async def test_it_is_gone_afterwards() -> None:
    with Keeping("a-flow-run") as keeping:
        await keeping.journal.aclose()
    assert not keeping.directory.exists()


async def test_what_went_wrong_is_found_again_with_its_key_and_run() -> None:
    with pytest.raises(RuntimeError), Keeping("a-flow-run") as first:  # noqa: PT012 - it must open before it fails
        await first.journal.aclose()
        raise RuntimeError("as if killed")
    with Keeping("a-flow-run") as again:
        await again.journal.aclose()
    assert (again.key, again.journal.run_id) == (first.key, first.journal.run_id)


async def test_a_second_runner_of_the_flow_run_keeps_for_itself() -> None:
    with Keeping("a-flow-run") as first, Keeping("a-flow-run") as second:
        assert (first.durable, second.durable) == (True, False)
        assert first.directory != second.directory
        await first.journal.aclose()
        await second.journal.aclose()
