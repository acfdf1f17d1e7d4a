import pytest

from crankshaft_core.cli.arguments import parse

RUN = [
    (["run", "--", "a", "-b", "--", "c"], ("a", "-b", "--", "c")),
    (["run", "hostname", "-f", "--cpu", "3"], ("hostname", "-f", "--cpu", "3")),
    (["run", "--cpu", "2", "bash", "-c", "x", "--", "y"], ("bash", "-c", "x", "--", "y")),
    (["run", "--cpu=2", "-q", "--", "--version"], ("--version",)),
    (["run", "--env", "A=1", "--env", "B", "--", "--", "x"], ("--", "x")),
    (["run", "--", ""], ("",)),
    (["run", "--", "two words"], ("two words",)),
    (["run", "-c", "echo $HOME"], ()),
    (["run", "--file", "T.jsonl"], ()),
]


@pytest.mark.parametrize(("argv", "command"), RUN, ids=" ".join)
def test_the_command_is_what_follows_our_own_options_untouched(argv, command):
    assert parse(argv).command == command


def test_options_before_the_command_are_ours():
    options = parse(["run", "-b", "hpc", "--mem", "4", "--time=2h", "--", "true"]).options
    assert (options.backend, options.ram, options.time) == ("hpc", "4", "2h")


MISTAKES = [
    (["rn"], 2, "no command 'rn' (did you mean 'run'?)"),
    (["--nonsense"], 2, "cannot read '--nonsense'"),
    (["check", "--orgin"], 2, "cannot read '--orgin'"),
    (["config", "--orgin"], 2, "(did you mean '--origin'?)"),
    (["backends", "local"], 2, "cannot read 'local'"),
    (["init", "a", "b"], 2, "cannot read 'b'"),
    (["run", "--cpus", "3", "--", "true"], 125, "(did you mean '--cpu'?)"),
    (["run", "--cpu"], 125, "--cpu: expected one argument"),
    (["run", "--bac", "hpc", "true"], 125, "cannot read '--bac'"),
]


@pytest.mark.parametrize(("argv", "code", "words"), MISTAKES, ids=str)
def test_a_mistake_is_one_line_that_says_what_and_where_to_read_on(argv, code, words, capsys):
    with pytest.raises(SystemExit) as left:
        parse(argv)
    said = capsys.readouterr().err
    assert left.value.code == code
    assert words in said
    assert said.count("\n") == 1
    assert "--help" in said


def test_nothing_at_all_shows_the_help_and_is_a_mistake(capsys):
    with pytest.raises(SystemExit) as left:
        parse([])
    assert left.value.code == 2
    assert "backends" in capsys.readouterr().err


def test_the_help_of_run_tells_the_exit_codes(capsys):
    with pytest.raises(SystemExit) as left:
        parse(["run", "--help"])
    assert not left.value.code
    assert "125 when Crankshaft or the backend failed" in capsys.readouterr().out
