import pytest

from crankshaft_core.cli.arguments import parse
from crankshaft_core.cli.task_options import resources_of, task_of
from crankshaft_core.errors import ConfigError
from crankshaft_core.task import Execution, Input, Output, Resources


def task(*argv):
    return task_of(parse(["run", *argv]))


def test_a_command_is_a_program_and_its_arguments():
    assert task("--", "a b", "c d", "").executions == (Execution(program="a b", args=("c d", "")),)


def test_shell_text_is_a_command():
    assert task("-c", "a | b").executions == (Execution(command="a | b"),)


def test_resources_are_read_with_their_units():
    argv = ("--cpu", "2", "--mem", "512MiB", "--disk", "1.5", "--gpu", "1", "--time", "90m", "true")
    assert task(*argv).resources == Resources(cpu=2, ram=0.5, disk=1.5, gpu=1, time="90m")


def test_variables_are_given_or_passed_on(monkeypatch):
    monkeypatch.setenv("CK_HERE", "from here")
    assert task("--env", "A=1=2", "--env", "B=", "--env", "CK_HERE", "true").executions[0].env == {
        "A": "1=2",
        "B": "",
        "CK_HERE": "from here",
    }


def test_attributes_are_pairs():
    assert task("--attribute", "queue=short", "true").attributes == {"queue": "short"}


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (("--name", "n", "true"), "n"),
        (("/bin/ls", "-l"), "ls"),
        (("-c", "sort x | uniq"), "sort"),
        (("-c", " "), "task"),
    ],
)
def test_a_task_is_called_what_it_runs(argv, name):
    assert task(*argv).name == name


MISTAKES = [
    ((), "nothing to run: give a COMMAND"),
    (("-c", "x", "y"), "-c TEXT is the whole command; 'y' cannot follow it"),
    (("-c", ""), "the command is empty"),
    (("--", ""), "the command is empty"),
    (("--cpu", "x", "true"), "--cpu: must be a number, not 'x'"),
    (("--cpu", "0", "true"), "--cpu: must be greater than 0, not '0'"),
    (("--cpu", "inf", "true"), "--cpu: must be finite"),
    (("--cpu", "nan", "true"), "--cpu: must be"),
    (("--gpu", "0.5", "true"), "--gpu: must be a whole number"),
    (("--gpu", "-1", "true"), "--gpu: must not be negative"),
    (("--ram", "8X", "true"), "--ram: '8X' is not a size"),
    (("--mem", "4000", "true"), "--ram 4000 is 4000 GiB; write '4000MB'"),
    (("--time", "90", "true"), "--time: '90' has no unit; write '90m' for minutes or '90s'"),
    (("--time", "1:30", "true"), "--time: '1:30' may be hours:minutes or minutes:seconds"),
    (("--env", "CK_UNSET", "true"), "--env CK_UNSET: CK_UNSET is not set here; write CK_UNSET=VALUE"),
    (("--env", "=x", "true"), "--env =x: write it as K=V"),
    (("--env", "", "true"), "write it as K=V"),
    (("--attribute", "queue", "true"), "--attribute queue: write it as K=V"),
]


@pytest.mark.parametrize(("argv", "words"), MISTAKES, ids=str)
def test_a_mistake_names_its_option_and_what_would_be_right(argv, words):
    with pytest.raises(ConfigError) as wrong:
        task(*argv)
    assert any(words in problem for problem in wrong.value.problems), wrong.value.problems


def test_all_mistakes_are_told_at_once():
    with pytest.raises(ConfigError) as wrong:
        task("--cpu", "x", "--ram", "y", "true")
    assert len(wrong.value.problems) == 2


def test_resources_can_be_asked_for_without_a_command():
    assert resources_of(parse(["run", "--cpu", "2", "--file", "T"]).options) == Resources(cpu=2)


def test_no_value_of_a_variable_is_ever_in_a_message():
    with pytest.raises(ConfigError) as wrong:
        task("--env", "TOKEN=hunter2", "--cpu", "x", "--env", "A\0B=hunter2", "true")
    assert "hunter2" not in str(wrong.value)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reads.fq").touch()
    (tmp_path / "ref").mkdir()
    return tmp_path


def test_an_input_is_a_file_here_or_a_url(here):
    given = ["--input", "reads.fq", "--input", "a.fq=reads.fq", "--input", "b.fq=s3://b/k=v", "--input", "ref"]
    assert task(*given, "true").inputs == (
        Input(path="reads.fq", url=str(here / "reads.fq")),
        Input(path="a.fq", url=str(here / "reads.fq")),
        Input(path="b.fq", url="s3://b/k=v"),
        Input(path="ref", url=str(here / "ref"), type="DIRECTORY"),
    )


def test_an_output_comes_to_the_same_path_here_or_to_a_url(here):
    given = ["--output", "o/x.vcf", "--output", "y=s3://b/y", "--output", "dir/", "--output", "o/*.txt"]
    assert task(*given, "true").outputs == (
        Output(path="o/x.vcf", url=str(here / "o/x.vcf")),
        Output(path="y", url="s3://b/y"),
        Output(path="dir/", url=str(here / "dir"), type="DIRECTORY"),
        Output(path="o/*.txt", url=str(here / "o")),
    )


@pytest.mark.parametrize(
    ("option", "text", "words"),
    [
        ("--input", "", "--input : write it as PATH or PATH=URL"),
        ("--input", "=x", "write it as PATH or PATH=URL"),
        ("--input", "x=", "write it as PATH or PATH=URL"),
        ("--input", "gone.fq", "there is no file gone.fq here"),
        ("--input", "a=gone.fq", "there is no file gone.fq here"),
        ("--output", "=x", "--output =x: write it as PATH or PATH=URL"),
        ("--output", "", "write it as PATH or PATH=URL"),
    ],
)
def test_a_file_that_cannot_be_meant_is_told(here, option, text, words):
    with pytest.raises(ConfigError, match=words):
        task(option, text, "true")
