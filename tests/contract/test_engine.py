"""What a caller of the engine may count on, on every kind of backend."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

import pytest

from crankshaft_core.engine import Engine
from crankshaft_core.errors import TimeLimitError
from crankshaft_core.journal import Journal
from crankshaft_core.task import Input, Output
from tests.contract.places import Place


def engine(place: Place) -> Engine:
    journal = Journal.open(place.shared / "journal.db")
    return Engine(place.config, journal=journal, open_backend=place.opener)


async def test_many_tasks_all_give_their_own_result(place: Place) -> None:
    async with engine(place) as running:
        codes = [number % 5 for number in range(20)]
        results = await asyncio.gather(*(running.run("place", place.task(f"exit {code}")) for code in codes))
    assert [result.exit_code for result in results] == codes


@pytest.mark.real
async def test_staged_content_and_outputs_make_the_round(place: Place) -> None:
    target = place.shared / "kept" / "copy.txt"
    task = place.task(
        "cat words.txt > copy.txt",
        inputs=(Input(path="words.txt", content="so be it"),),
        outputs=(Output(path="copy.txt", url=f"file://{target}"),),
    )
    async with engine(place) as running:
        result = await running.run("place", task)
    assert result.ok, result
    assert target.read_text() == "so be it"


@pytest.mark.real
async def test_the_log_of_a_task_that_failed_is_fetched_though_its_output_is_not_there(place: Place) -> None:
    kept = place.shared / "kept"
    task = place.task(
        "mkdir logs; echo why > logs/it.log; exit 3",
        outputs=(
            Output(path="made.txt", url=f"file://{kept}/made.txt"),
            Output(path="logs/it.log", url=f"file://{kept}/it.log", always=True),
            Output(path="logs/none.log", url=f"file://{kept}/none.log", always=True),
        ),
    )
    async with engine(place) as running:
        result = await running.run("place", task)
    assert result.exit_code == 3
    assert [file.name for file in kept.iterdir()] == ["it.log"]
    assert (kept / "it.log").read_text() == "why\n"


@pytest.mark.real
async def test_a_file_is_staged_by_its_url(place: Place) -> None:
    source = place.shared / "source.bin"
    source.write_bytes(bytes(range(256)))
    task = place.task("wc -c < in.bin", inputs=(Input(path="in.bin", url=source.as_uri()),))
    async with engine(place) as running:
        result = await running.run("place", task)
    assert result.stdout_tail.strip() == "256"


async def test_cancelling_leaves_nothing(place: Place) -> None:
    async with engine(place) as running:
        handles = [running.spawn("place", place.task("sleep 1000")) for _ in range(3)]
        while not all(handle.job_id for handle in handles):
            await asyncio.sleep(0.01)
        await running.cancel()
        assert all(handle.done() for handle in handles)


@pytest.mark.real
async def test_no_grandchild_survives_a_cancel(place: Place) -> None:
    beat = place.shared / "beat"
    child = f"while true; do date +%s%N > '{beat}'; sleep 0.05; done"
    async with engine(place) as running:
        handle = running.spawn("place", place.task(f'sh -c "({child}) & wait" & wait'))
        deadline = time.monotonic() + place.patience
        while not beat.exists():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        handle.cancel()
        await handle.wait()
    last = beat.read_text()
    await asyncio.sleep(0.4)
    assert beat.read_text() == last


@pytest.mark.real
async def test_a_task_is_held_to_its_time(place: Place) -> None:
    async with engine(place) as running:
        with pytest.raises(TimeLimitError):
            await running.run("place", place.task("sleep 1000", time="1s"))


CLIENT = """
import asyncio, sys
from pathlib import Path
from crankshaft_core.config import Config
from crankshaft_core.engine import Engine
from crankshaft_core.journal import Journal
from crankshaft_core.task import Execution, Task

async def main(config, shared, image, count):
    journal = Journal.open(shared / "journal.db")
    async with Engine(Config.load(config), journal=journal) as engine:
        def task(n):
            command = f"echo {n} >> '{shared}/marks'; sleep 0.3"
            return Task(name=f"t{n}", executions=(Execution(command=command, image=image),))
        results = await asyncio.gather(*(engine.run("place", task(n), key=f"k{n}") for n in range(count)))
    print(sum(result.ok for result in results))

asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3] or None, int(sys.argv[4])))
"""


@pytest.mark.real
def test_a_killed_client_is_followed_by_one_that_runs_nothing_twice(place: Place) -> None:
    count = 50
    (place.shared / "Crankshaft.toml").write_text(f"[[backends]]\nname = 'place'\n{place.text}")
    marks = place.shared / "marks"
    command = [sys.executable, "-c", CLIENT, str(place.shared / "Crankshaft.toml"), str(place.shared)]
    command += [place.image or "", str(count)]
    first = subprocess.Popen(command)
    deadline = time.monotonic() + 3 * place.patience
    while not marks.exists() or len(marks.read_text().splitlines()) < 10:
        assert time.monotonic() < deadline
        assert first.poll() is None
        time.sleep(0.01)
    first.kill()
    first.wait()
    second = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=10 * place.patience)
    assert int(second.stdout) == count
    assert sorted(int(line) for line in marks.read_text().split()) == list(range(count))
