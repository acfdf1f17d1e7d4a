"""The command of an inner run."""

import shlex
from pathlib import Path

from snakemake_executor_crankshaft.command import InnerRun, quiet_arguments, wait_arguments


def test_every_argument_reaches_the_inner_run_as_it_is() -> None:
    inner = InnerRun("/py thon", "/it's/Snakefile", ["--target-jobs", "a:x=$HOME 'b'"])
    execution = inner.execution(env={"A": "b"}, work_dir="/w")
    assert execution.program == "/py thon"
    assert execution.args[:6] == ("-m", "snakemake", "--snakefile", "/it's/Snakefile", "--target-jobs", "a:x=$HOME 'b'")
    assert (execution.env, execution.work_dir) == ({"A": "b"}, "/w")


def test_an_inner_run_is_remote_and_tries_each_rule_once() -> None:
    args = InnerRun("python", "Snakefile", []).execution(env={}, work_dir=None).args
    assert args[-2:] == ("--mode", "remote")
    assert args[args.index("--preemptible-retries") :][:3] == ("--preemptible-retries", "0", "--preemptible-rules")


def test_the_precommand_has_to_succeed_first() -> None:
    execution = InnerRun("python", "S", ["it's"], "pip install 'x y'").execution(env={}, work_dir=None)
    assert execution.command is not None
    first, _, then = execution.command.partition(" && ")
    assert first == "pip install 'x y'"
    assert shlex.split(then)[:7] == ["exec", "python", "-m", "snakemake", "--snakefile", "S", "it's"]


def test_files_to_wait_for_are_arguments(tmp_path: Path) -> None:
    assert wait_arguments(["a b", "c"], tmp_path) == ("--wait-for-files", "a b", "c")


def test_no_files_are_no_arguments(tmp_path: Path) -> None:
    assert wait_arguments([], tmp_path) == ()


def test_a_long_list_of_files_goes_into_a_file_of_its_own(tmp_path: Path) -> None:
    names = [f"reads/{n:06}.fastq.gz" for n in range(10_000)]
    flag, path = wait_arguments(names, tmp_path / "new")
    assert flag == "--wait-for-files-file"
    assert Path(path).read_text().splitlines() == names


def test_the_same_long_list_is_the_same_file(tmp_path: Path) -> None:
    names = ["x" * 200] * 1000
    assert wait_arguments(names, tmp_path) == wait_arguments(names, tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_group_says_which_of_its_rules_failed() -> None:
    assert "rules" in quiet_arguments(verbose=False, group=False)
    assert "rules" not in quiet_arguments(verbose=False, group=True)


def test_verbose_runs_say_everything() -> None:
    assert quiet_arguments(verbose=True, group=False) == ()
