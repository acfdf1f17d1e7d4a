import json

import pytest

from crankshaft_core.cli.tasks_file import content_of, tasks_in
from crankshaft_core.errors import ConfigError, SubmitError
from crankshaft_core.task import Execution, Resources, Task


def read(*lines, complete=lambda line: line):
    content = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    return tasks_in(content, source="T", complete=complete)


def test_the_short_form_is_flat():
    line = {"name": "n", "program": "p", "args": ["a b", ""], "cwd": "d", "cpu": 2, "ram": "512MiB", "time": "1h"}
    task = read({**line, "env": {"A": "1"}, "attributes": {"queue": "q"}, "image": "i"})[0].task
    assert task == Task(
        name="n",
        executions=(Execution(program="p", args=("a b", ""), work_dir="d", env={"A": "1"}, image="i"),),
        resources=Resources(cpu=2, ram=0.5, time="1h"),
        attributes={"queue": "q"},
    )


def test_a_whole_task_is_taken_as_it_is():
    task = Task(name="n", executions=(Execution(command="a"), Execution(command="b")), resources=Resources(cpu=1))
    assert read(json.loads(task.model_dump_json(exclude_unset=True)))[0].task == task


def test_a_line_may_name_its_backend_in_either_form():
    lines = read({"command": "a", "backend": "x"}, {"executions": [{"command": "a"}], "backend": "y"}, {"command": "a"})
    assert [line.backend for line in lines] == ["x", "y", None]


def test_a_task_without_a_name_is_called_by_its_line():
    assert [line.task.name for line in read({"command": "a"}, b"", {"command": "b"})] == ["line-1", "line-3"]


def test_empty_lines_line_ends_of_windows_and_a_byte_order_mark_are_passed_over():
    lines = tasks_in(b'\xef\xbb\xbf{"command": "a"}\r\n\r\n  \n{"command": "b"}\r\n', source="T", complete=lambda x: x)
    assert [line.place for line in lines] == ["T:1", "T:4"]


BAD = [
    (b"hello", "not JSON: expecting value at column 1; each line is one whole JSON object"),
    (b"# sort", "JSON has no comments"),
    (b"[{", "write one object a line, without a list around them"),
    (b"{'command': 'x'}", "JSON wants double quotes"),
    (b'{"command": "x"', "each line is one whole JSON object"),
    (b'{"command": "x"} {"command": "y"}', "each line is one whole JSON object"),
    (b'{"command": "\xff"}', "not UTF-8 (byte 14 of the line)"),
    (b'{"command": "x", "command": "y"}', "the key 'command' stands there twice"),
    (b'{"command": "x", "cpu": NaN}', "NaN is no number a task can ask for"),
    (b'{"command": "x", "ram": Infinity}', "Infinity is no number a task can ask for"),
    (b'{"command": "x", "cpu": 1e999}', "cpu: must be finite"),
    (b"[" * 100_000, "nested too deep"),
    (["sort"], 'must be a JSON object, such as {"command": "hostname"}, not ["sort"]'),
    ("sort", "must be a JSON object"),
    ({}, "an execution needs either a program (with args) or a shell command"),
    ({"command": ["a", "b"]}, 'command: is shell text; a list goes into "program"'),
    ({"command": "x", "program": "y"}, "either a program (with args) or a shell command"),
    ({"command": "x", "args": ["y"]}, "args belong to a program"),
    ({"program": "x", "args": "y"}, "args: must be a list, not 'y'"),
    ({"program": "x", "args": [1]}, "args[0]: must be text, not 1"),
    ({"command": "x", "memory": 3}, "unknown key 'memory'; did you mean 'ram'?"),
    ({"command": "x", "imgae": "i"}, "unknown key 'imgae'; did you mean 'image'?"),
    ({"command": "x", "cpu": "many"}, "cpu: must be a number, not 'many'"),
    ({"command": "x", "cpu": -1}, "cpu: must be greater than 0, not -1"),
    ({"command": "x", "time": 90}, "time: 90 has no unit; write '90m' for minutes"),
    ({"command": "x", "ram": "8X"}, "ram: '8X' is not a size"),
    ({"command": "x", "env": {"A": 1}}, "env.A: must be text"),
    ({"command": "x", "env": ["A"]}, "env: must be an object"),
    ({"command": "x", "env": {"A=B": "1"}}, "'A=B' cannot be the name of an environment variable"),
    ({"command": "x\0"}, "cannot hold a NUL byte"),
    ({"command": "x", "cwd": "a", "work_dir": "b"}, "cwd and work_dir are the same; give one of them"),
    ({"command": "x", "backend": 3}, "backend: must be text"),
    ({"command": "x", "inputs": [{"path": "p"}]}, "input 'p' needs either a url or content"),
    ({"command": "x", "resources": {"cpu": 2}}, "a line is a whole Task"),
    ({"executions": []}, "executions: "),
    ({"executions": [{"command": "x", "cpu": 2}]}, "executions[0].cpu: unknown key"),
    ({"executions": [{"command": "x"}], "resources": {"cpu": 0}}, "resources.cpu: must be greater than 0, not 0"),
]


@pytest.mark.parametrize(("line", "words"), BAD, ids=lambda value: str(value)[:50])
def test_a_bad_line_is_told_by_its_number_with_what_would_be_right(line, words):
    with pytest.raises(ConfigError) as wrong:
        read({"command": "good"}, line)
    first, *_ = wrong.value.problems
    assert first.startswith("T:2: ")
    assert words in first


def test_every_bad_line_is_told_and_that_nothing_was_submitted():
    with pytest.raises(ConfigError) as wrong:
        read({"cpu": 1}, {"command": "good"}, {"command": "x", "ram": "?"}, b"?")
    *problems, last = wrong.value.problems
    assert [problem.split(": ")[0] for problem in problems] == ["T:1", "T:3", "T:4"]
    assert last == "nothing was submitted"


def test_what_a_backend_would_refuse_is_told_by_its_line():
    def refuse(line):
        raise SubmitError("no image here")

    with pytest.raises(ConfigError, match="T:1: no image here"):
        read({"command": "x"}, complete=refuse)


def test_a_file_without_a_task_is_a_mistake():
    with pytest.raises(ConfigError, match="T: there is no task in it"):
        read(b"", b" ")


def test_a_file_that_is_not_there_is_a_mistake(tmp_path):
    with pytest.raises(ConfigError, match=r"nothing\.jsonl: No such file or directory"):
        content_of(str(tmp_path / "nothing.jsonl"))
