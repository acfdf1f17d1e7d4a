"""Commands full of what shells find interesting arrive byte for byte, in both modes, on the way to a real process."""

from __future__ import annotations

import asyncio
import itertools
import os
import shlex
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crankshaft_core.backends.base import Attempt, Job, Outcome, Phase
from crankshaft_core.backends.generic import GenericBackend
from crankshaft_core.config import Config, GenericConfig
from crankshaft_core.task import Execution, Task
from tests.integration.elsewhere import Elsewhere

RUN = "knasty"
_serial = itertools.count(1)
_SYSTEM = shlex.join([sys.executable, "-I", str(Path(__file__).parents[1] / "services" / "fake_batch.py")])
_BATCH = """
monitor_all = '{system} {spool} list'
kill = '{system} {spool} kill ~{{job_ids}}'
job_id_regex = '^job (\\d+)$'
submit_rate = 1000
"""
WAYS = {
    "process": "submit = '~{{command}}'\n",
    "process by script": "submit = '~{{command}}'\n",
    "process under nice": "submit = 'nice ~{{command}}'\n",
    "batch": "submit = '{system} {spool} submit ~{{script}}'\n" + _BATCH,
    "batch by script": "submit = '{system} {spool} submit ~{{script}}'\n" + _BATCH,
    "batch with the command in quotes": '''submit = """printf %s\\\\\\\\n '~{{command}}' > ~{{task_dir}}/wrap && \\
{system} {spool} submit ~{{task_dir}}/wrap"""\n'''
    + _BATCH,
}
PROPERTY_WAYS = ["process", "process by script", "batch", "batch with the command in quotes"]
TEXT = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=30)
WORDS = st.lists(
    st.one_of(TEXT, st.sampled_from(["", "-n", "--", "-rf", "'", '"', "$HOME", "\\", "\n", "\t", ";", "é☃", "~{cpu}"])),
    max_size=8,
)
DUMP = ("bash", "-c", 'printf "%s\\0" "$@"', "dump")


class Bench:
    """A backend in a directory of its own, which runs one task at a time to its end."""

    def __init__(self, root: Path, way: str) -> None:
        text = WAYS[way].format(system=_SYSTEM, spool=shlex.quote(str(root / "spool")))
        config = Config.parse(f"[[backends]]\nname = 'b'\nkind = 'Generic'\nwork_dir = '{root}/w w'\n{text}").backends[
            "b"
        ]
        assert isinstance(config, GenericConfig)
        self.config = config
        self.elsewhere = way.endswith("by script")

    def run(self, execution: Execution) -> tuple[Outcome, bytes]:
        return asyncio.run(self._run(execution))

    async def _run(self, execution: Execution) -> tuple[Outcome, bytes]:
        backend = GenericBackend(self.config, run_id=RUN, driver=Elsewhere() if self.elsewhere else None)
        task = Task(name="nasty", executions=(execution,))
        attempt = Attempt(f"{RUN}-{next(_serial)}", RUN, 1, task)
        try:
            job = Job(attempt.id, RUN, await backend.submit(attempt))
            async with asyncio.timeout(30):
                while (
                    state := (await backend.poll([job], sweep=False)).get(job.attempt)
                ) is None or state.phase is not Phase.ENDED:
                    await asyncio.sleep(0.01)
            return await backend.result(job), await self._whole(backend, job)
        finally:
            await backend.aclose()

    async def _whole(self, backend: GenericBackend, job: Job) -> bytes:
        data = b""
        while more := await backend.read(job, "stdout", len(data)):
            data += more
        return data


@pytest.fixture(params=WAYS)
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("nasty"), request.param)


RUNS = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def dumped(words: list[str]) -> bytes:
    return b"\0".join(os.fsencode(word) for word in words) + b"\0"


@pytest.mark.parametrize("bench", PROPERTY_WAYS, indirect=True)
@RUNS
@given(words=WORDS)
def test_arguments_arrive(bench: Bench, words: list[str]) -> None:
    outcome, stdout = bench.run(Execution(program=DUMP[0], args=(*DUMP[1:], *words)))
    assert (outcome.exit_codes, stdout) == ((0,), dumped(words))


@pytest.mark.parametrize("bench", PROPERTY_WAYS, indirect=True)
@RUNS
@given(words=WORDS)
def test_a_shell_command_is_the_same_shell_command_there(bench: Bench, words: list[str]) -> None:
    command = shlex.join([*DUMP, *words])
    outcome, stdout = bench.run(Execution(command=f'{command}\n# it\'s "over" $('))
    assert (outcome.exit_codes, stdout) == ((0,), dumped(words))


@pytest.mark.parametrize("bench", PROPERTY_WAYS, indirect=True)
@RUNS
@given(value=TEXT)
def test_variables_arrive(bench: Bench, value: str) -> None:
    outcome, stdout = bench.run(Execution(program="printenv", args=("VALUE",), env={"VALUE": value}))
    assert (outcome.exit_codes, stdout) == ((0,), f"{value}\n".encode())


def test_a_hundred_kilobytes_of_arguments_arrive(bench: Bench) -> None:
    words = [f"{number}'\"$\\\n" * 5 for number in range(10_000 // 5)]
    words += ["x" * 50_000]
    assert sum(map(len, words)) > 100_000
    outcome, stdout = bench.run(Execution(program=DUMP[0], args=(*DUMP[1:], *words)))
    assert (outcome.exit_codes, stdout) == ((0,), dumped(words))


def test_a_program_of_many_lines_arrives(bench: Bench) -> None:
    command = (
        "set -e\ncat <<'EOF'\n$HOME 'a' \"b\" \\\n\ttab\nEOF\nfor i in 1 2; do\n  echo $i | tr 12 ab\ndone; ! false"
    )
    outcome, stdout = bench.run(Execution(command=command))
    assert (outcome.exit_codes, stdout) == ((0,), b"$HOME 'a' \"b\" \\\n\ttab\na\nb\n")


def test_nothing_is_executed_where_jobs_are_submitted(bench: Bench, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    words = [f"$(touch {trap})", f"`touch {trap}`", f"'; touch {trap}; '", f'"; touch {trap}; "', f"\n touch {trap}\n"]
    outcome, stdout = bench.run(Execution(program=DUMP[0], args=(*DUMP[1:], *words)))
    assert (outcome.exit_codes, stdout) == ((0,), dumped(words))
    assert not trap.exists()
