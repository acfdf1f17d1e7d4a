"""Scripts whose output is cut into pieces."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from crankshaft_core.backends.generic.frames import Answer, Script


def run(script: Script, cwd: Path) -> bytes:
    return subprocess.run(["bash", "-c", script.text], cwd=cwd, capture_output=True, check=True).stdout


def test_a_call_gives_status_and_both_streams_apart(tmp_path: Path) -> None:
    script = Script()
    script.call("list", "echo out; echo err >&2; exit 3")
    pieces = script.pieces(run(script, tmp_path))
    assert Script.answer(pieces, "list") == Answer(3, "out\n", "err")


def test_a_login_banner_is_no_answer(tmp_path: Path) -> None:
    script = Script()
    script.call("list", "echo 'crankshaft-0000 list'; echo mine")
    pieces = script.pieces(b"Welcome!\ncrankshaft list\n" + run(script, tmp_path))
    assert Script.answer(pieces, "list") == Answer(0, "crankshaft-0000 list\nmine\n", "")


def test_output_that_was_cut_off_has_no_end(tmp_path: Path) -> None:
    script = Script()
    script.call("list", "echo mine")
    whole = run(script, tmp_path)
    assert "end" in script.pieces(whole)
    assert "end" not in script.pieces(whole[:-5])


def test_a_call_that_was_never_made_has_no_answer() -> None:
    assert Script.answer({}, "list") is None


def test_a_command_that_cannot_be_parsed_hurts_only_itself(tmp_path: Path) -> None:
    script = Script()
    script.call("broken", "echo 'never closed")
    script.call("list", "echo fine")
    pieces = script.pieces(run(script, tmp_path))
    broken = Script.answer(pieces, "broken")
    assert broken is not None
    assert broken.status != 0
    assert Script.answer(pieces, "list") == Answer(0, "fine\n", "")


def test_a_failure_at_the_head_of_a_pipe_is_a_failure(tmp_path: Path) -> None:
    script = Script()
    script.call("list", "false | cat")
    answer = Script.answer(script.pieces(run(script, tmp_path)), "list")
    assert answer is not None
    assert answer.status == 1


@pytest.mark.parametrize(
    ("name", "seen"), [("SLURM_JOB_ID", ""), ("SBATCH_QOS", ""), ("PBS_QUEUE", ""), ("SLURM_CONF", "x"), ("OTHER", "x")]
)
def test_what_a_job_around_us_has_set_is_scrubbed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, seen: str
) -> None:
    monkeypatch.setenv(name, "x")
    script = Script()
    script.call("list", f'printf %s "${name}"')
    assert Script.answer(script.pieces(run(script, tmp_path)), "list") == Answer(0, seen, "")


def test_every_call_is_logged_with_time_and_status(tmp_path: Path) -> None:
    script = Script()
    script.call("list", "exit 4")
    run(script, tmp_path)
    begin, end, status, what = (tmp_path / "commands.log").read_text().split()
    assert float(begin) <= float(end)
    assert (status, what) == ("4", "list")
