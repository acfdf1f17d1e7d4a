"""The commands that docs/ shows are run as they stand there, page by page, and print what is shown below them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import pytest

from tests.doc_pages import Block, blocks, pages
from tests.services.running import Slurm, Sshd
from tests.services.shared import shared_directory

QUICK = {"POLL_INTERVAL": "0.2", "SWEEP_INTERVAL": "1", "GRACE": "2s"}


def of(place: str) -> list[str]:
    """The pages with commands for this place."""
    return [page for page in pages() if any(block.marks.get("run") == place for block in blocks(page))]


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """The environment of a person who has installed Crankshaft, and nothing else of theirs.

    Unbuffered, so that what goes to both streams comes in the order in which a terminal shows it.
    """
    (tmp_path / "home").mkdir()
    kept = {name: os.environ[name] for name in ("LANG", "TMPDIR", "USER", "LOGNAME") if name in os.environ}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "HOME": str(tmp_path / "home"), "PATH": path, "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def cluster(slurm: Slurm, sshd: Sshd) -> Iterator[dict[str, str]]:
    """What brings a backend called `hpc` on login.slurm.cluster to the real one. Its jobs leave nothing behind."""
    del slurm  # the login finds it by itself
    with shared_directory(sshd.user) as directory:
        changed = {"LOCALE__SSH_CONFIG": str(sshd.ssh_config), "WORK_DIR": f"{directory}/crankshaft", **QUICK}
        yield {f"CRANKSHAFT_BACKENDS__HPC__{name}": value for name, value in changed.items()}


@pytest.mark.parametrize("page", of("here"))
def test_the_commands_of_the_page_do_here_what_it_says(page: str, home: Mapping[str, str], tmp_path: Path) -> None:
    wrong = follow(page, "here", tmp_path / "here", home)
    assert wrong == [], "\n\n".join(wrong)


@pytest.mark.parametrize("page", of("slurm by ssh"))
def test_the_commands_of_the_page_do_on_slurm_what_it_says(
    page: str, home: Mapping[str, str], cluster: Mapping[str, str], tmp_path: Path
) -> None:
    wrong = follow(page, "slurm by ssh", tmp_path / "laptop", {**home, **cluster})
    assert wrong == [], "\n\n".join(wrong)


def follow(page: str, place: str, directory: Path, environ: Mapping[str, str]) -> list[str]:
    """Do what the page says, in a directory of its own. Returns what came out otherwise."""
    directory.mkdir()
    wrong: list[str] = []
    for block in blocks(page):
        if name := block.marks.get("file"):
            (directory / name).write_text(block.text)
        elif block.marks.get("run") == place:
            for command, shown in commands(block):
                code, said = run(command, directory, environ)
                if (shown is None and code != 0) or not fits(said, shown):
                    wrong.append(f"{block}: $ {command}\n{said}\n(exit code {code}), not\n{shown}")
    return wrong


def commands(block: Block) -> Iterator[tuple[str, str | None]]:
    """Each command with the output that is shown below it; a script without any is one command."""
    if block.language != "console":
        yield block.text, None
        return
    starts = [match.start() for match in re.finditer(r"^\$ ", block.text, re.MULTILINE)]
    for start, end in pairwise([*starts, len(block.text)]):
        command, _, shown = block.text[start + 2 : end].partition("\n")
        yield command, shown.strip() or None


def run(command: str, directory: Path, environ: Mapping[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", command],
        cwd=directory,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout


def fits(said: str, shown: str | None) -> bool:
    """As it is shown, line by line; `…` stands for anything, on a line of its own for any lines."""
    if shown is None:
        return True
    lines = ["(?:.*\n)*?" if line.strip() == "…" else f"{_line(line)}\n" for line in shown.splitlines()]
    return re.fullmatch("".join(lines), "".join(f"{line.rstrip()}\n" for line in said.splitlines())) is not None


def _line(shown: str) -> str:
    """Spaces between columns are as many as there are."""
    return " *" + " +".join(re.escape(word).replace("…", ".*") for word in shown.rstrip().split())
