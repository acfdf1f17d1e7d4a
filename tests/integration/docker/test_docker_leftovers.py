"""Whose containers and directories may go, on an engine that several people and several backends use."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from crankshaft_core.backends.base import Cleaning, Leftover
from crankshaft_core.backends.opening import open_backend
from crankshaft_core.config import Config
from tests.integration.docker.box import Box

RUN = "kabc123"
OURS = Cleaning(0, journalled=frozenset([RUN]))


async def clean(box: Box, cleaning: Cleaning) -> Sequence[Leftover]:
    backend = open_backend(Config.parse(box.text()).backends["box"], run_id="kother0")
    found = await backend.clean(cleaning)
    await backend.aclose()
    return found


def container(box: Box, directory: str, *, number: int = 0) -> str:
    """One that has ended, of an attempt submitted from `directory`."""
    facts = {"run": RUN, "attempt": f"{RUN}-1-1", "execution": str(number), "executions": "1", "directory": directory}
    name = f"{RUN}-1-1-{number}"
    labels = {f"crankshaft.{key}": value for key, value in facts.items()}
    box.client.containers.run("busybox:local", "true", name=name, labels=labels)
    return name


async def test_a_container_goes_whose_directory_is_ours(box: Box) -> None:
    name = container(box, str(box.work_dir / RUN / f"{RUN}-1-1"))
    assert [(item.what, item.kept) for item in await clean(box, OURS)] == [(f"container {name}", "")]
    assert box.left() == []


async def test_a_container_from_elsewhere_stays_until_its_run_is_named(box: Box) -> None:
    container(box, "/nowhere/of/ours")
    (found,) = await clean(box, Cleaning(0))
    assert found.kept == f"may be somebody else's: its directory is not here. If it is yours: --run {RUN}"
    (found,) = await clean(box, Cleaning(0, only=RUN))
    assert (found.kept, box.left()) == ("", [])


@pytest.mark.parametrize(("files", "kept"), [(["stdout", "stderr"], False), (["files/data"], True)])
async def test_a_directory_whose_container_may_be_on_another_engine_stays(
    box: Box, files: list[str], kept: bool
) -> None:
    attempt = box.work_dir / RUN / f"{RUN}-1-1"
    for name in files:
        (attempt / name).parent.mkdir(parents=True, exist_ok=True)
        (attempt / name).touch()
    (found,) = await clean(box, OURS)
    assert (bool(found.kept), attempt.exists()) == (kept, kept)
