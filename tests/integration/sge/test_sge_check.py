"""What Grid Engine itself says of where a task would go, without being given one."""

from __future__ import annotations

from collections.abc import Callable

from crankshaft_core.backends.opening import open_backend
from crankshaft_core.config import Config


async def test_check_tells_whether_a_task_that_asks_for_the_defaults_would_start(
    configured: Callable[[str], Config],
) -> None:
    answers: list[tuple[str, ...]] = []
    for cpu in (2, 64):
        config = configured(f"defaults = {{ cpu = {cpu} }}\n")
        (name,) = set(config.backends) - {"local"}
        backend = open_backend(config.backends[name], run_id="kcheck0")
        health = await backend.check()
        await backend.aclose()
        answers.append((*health.notes, *health.warnings))
    assert "a task that asks for the defaults: found possible assignment with 2 slots" in answers[0]
    assert any("a task that asks for the defaults would not start: " in said for said in answers[1])
