"""The seed configuration carries commands full of what shells find interesting to Slurm, over SSH, byte for byte."""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from crankshaft_core.engine import Engine
from crankshaft_core.task import Execution, Resources, Task, TaskResult

DUMP = ("bash", "-c", 'printf "%s\\0" "$@"', "dump")
NASTY = {
    "nothing": [],
    "empty": ["", "", "x", ""],
    "quotes": ["it's", 'say "hi"', "'", '"', "''", '"\'"', "$'\\n'"],
    "expansions": ["$HOME", "${HOME}", "$(id)", "`id`", "$((1+1))", "~", "~root", "!x", "!!", "{a,b}"],
    "backslashes": ["\\", "\\\\", "\\n", "a\\", "\\'", '\\"'],
    "white space": ["new\nline", "\n", "tab\t", " ", "  two  ", "\r\n"],
    "operators": [";", "&", "|", "<", ">", "(", ")", "&&", "#", "# no comment", "*", "?", "[a-z]*"],
    "options": ["-n", "--", "-rf", "--wrap=x", "-"],
    "unicode": ["é☃", "ünïcödé ✓", "\u202e", "🐍", "\x07\x1b[0m"],
    "bytes": [os.fsdecode(b"\xff\xfe\x80")],
    "placeholders": ["~{cpu}", "~{command}", "~{nothing}", "%j", "%s", "{}"],
}
SMALL = Resources(cpu=1, ram=0.1)


def dumped(words: Sequence[str]) -> bytes:
    return b"".join(os.fsencode(word) + b"\0" for word in words) if words else b"\0"


def task(execution: Execution) -> Task:
    return Task(name="nasty", executions=(execution,), resources=SMALL)


def stdout(result: TaskResult) -> bytes:
    """All of it: login node, compute node and this test are one machine."""
    assert result.ok, result
    assert result.stdout is not None
    return Path(result.stdout).read_bytes()


async def ran(engine: Engine, executions: Sequence[Execution]) -> list[TaskResult]:
    return await asyncio.gather(*(engine.run("hpc_cluster_slurm", task(item)) for item in executions))


async def test_arguments_arrive(engine: Engine) -> None:
    results = await ran(engine, [Execution(program=DUMP[0], args=(*DUMP[1:], *words)) for words in NASTY.values()])
    assert dict(zip(NASTY, map(stdout, results), strict=True)) == {kind: dumped(words) for kind, words in NASTY.items()}


async def test_shell_text_is_the_same_shell_text_there(engine: Engine) -> None:
    commands = [f'{shlex.join([*DUMP, *words])}\n# it\'s "over" $( `' for words in NASTY.values()]
    results = await ran(engine, [Execution(command=command) for command in commands])
    assert dict(zip(NASTY, map(stdout, results), strict=True)) == {kind: dumped(words) for kind, words in NASTY.items()}


async def test_variables_arrive(engine: Engine) -> None:
    values = {f"V{number}": "".join(words) for number, words in enumerate(NASTY.values())}
    [result] = await ran(engine, [Execution(program=DUMP[0], args=(DUMP[1], _show(values)), env=values)])
    assert stdout(result) == dumped(list(values.values()))


async def test_a_hundred_kilobytes_of_arguments_arrive(engine: Engine) -> None:
    words = [*(f"{number}'\"$\\\n" * 5 for number in range(2000)), "x" * 50_000]
    assert sum(map(len, words)) > 100_000
    [result] = await ran(engine, [Execution(program=DUMP[0], args=(*DUMP[1:], *words))])
    assert stdout(result) == dumped(words)


async def test_nothing_of_a_command_is_executed_on_the_way(engine: Engine, shared: Path) -> None:
    trap = shared / "trap"
    shared.chmod(0o777)  # whoever it is that would execute it
    words = [f"$(touch {trap})", f"`touch {trap}`", f"'; touch {trap}; '", f'"; touch {trap}; "', f"\n touch {trap}\n"]
    arguments = Execution(program=DUMP[0], args=(*DUMP[1:], *words))
    variables = Execution(program="true", env={f"V{number}": word for number, word in enumerate(words)})
    results = await ran(engine, [arguments, variables])
    assert stdout(results[0]) == dumped(words)
    assert not trap.exists()


async def test_a_command_is_executed_once_and_by_the_job_alone(engine: Engine, shared: Path) -> None:
    marks = shared / "marks"
    [result] = await ran(engine, [Execution(command=f"echo ${{SLURM_JOB_ID:-login node}} >>'{marks}'")])
    assert marks.read_text() == f"{result.job_id}\n"


async def test_no_value_of_a_variable_is_left_there(engine: Engine) -> None:
    [result] = await ran(engine, [Execution(command="echo $TOKEN | wc -c; pwd; exit 3", env={"TOKEN": "hunter2"})])
    size, directory = result.stdout_tail.split()
    run = Path(directory).parents[2]
    assert size == "8"
    assert (run / "wrapper").is_file()
    assert [path for path in run.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()] == []


def _show(names: dict[str, str]) -> str:
    return 'printf "%s\\0" ' + " ".join(f'"${name}"' for name in names)
