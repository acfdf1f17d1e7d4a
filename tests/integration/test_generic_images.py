"""Images of a Generic backend are there before a job is: by a fake apptainer, which writes down what it is asked.

`pull FILE ADDRESS` waits for the file `go` and makes FILE, or fails for an address with `bad` in it; `exec` runs what
follows the image. One line in `asked` for each.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path

import pytest

from crankshaft_core.config import GenericConfig
from crankshaft_core.errors import SubmitError
from crankshaft_core.task import Execution
from tests.integration.running import attempt, batch, config, opened, outcome, true
from tests.services.running import Sshd
from tests.services.shared import shared_directory

FAKE = """#!/bin/bash
echo "$TOKEN $*" >>"$0.asked"
if [ "$1" = pull ]; then
  case $3 in *bad*) echo "INFO: trying"; echo "FATAL: no such image" >&2; exit 255 ;; esac
  until [ -e "$0.go" ]; do sleep 0.02; done
  echo image >"$2"
else
  while [ "${1##*.}" != sif ]; do shift; done
  [ "$(cat "$1")" = image ] || exit 255
  exec "${@:2}"
fi
"""


class Site:
    """A machine where the fake apptainer is there once a module is loaded."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.fake = root / "bin" / "apptainer"
        self.fake.parent.mkdir()
        self.fake.write_text(FAKE)
        self.fake.chmod(0o755)
        self.fake.parent.chmod(0o777)  # whoever runs it writes down there what it was asked

    def config(self, text: str = "submit = '~{command}'", *, loads: bool = True) -> GenericConfig:
        prologue = f"prologue = 'PATH={self.fake.parent}:$PATH'" if loads else ""
        return config(self.root, f"container = 'apptainer'\nenv = {{ TOKEN = 't0k' }}\n{prologue}\n{text}")

    def go(self) -> None:
        (self.root / "bin" / "apptainer.go").touch()

    @property
    def asked(self) -> list[str]:
        file = self.root / "bin" / "apptainer.asked"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def pulls(self) -> list[str]:
        return [line for line in self.asked if " pull " in line]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def in_image(image: str = "tool:1") -> Execution:
    return Execution(image=image, command="echo done")


async def test_an_image_is_pulled_once_for_many_tasks_of_several_runs(site: Site) -> None:
    async with opened(site.config(batch(site.root))) as one, opened(site.config()) as other:
        waiting = [asyncio.create_task(outcome(backend, attempt(in_image()))) for backend in (one, other) * 4]
        await true(lambda: site.pulls)
        site.go()
        ended = await asyncio.gather(*waiting)
    assert [item.stdout_tail for item in ended] == ["done\n"] * 8
    assert len(site.pulls) == 1


async def test_an_image_that_was_pulled_before_is_not_pulled_again(site: Site) -> None:
    site.go()
    for _ in range(2):
        async with opened(site.config()) as backend:
            assert (await outcome(backend, attempt(in_image()))).exit_codes == (0,)
    assert len(site.pulls) == 1


async def test_a_pull_has_the_backends_variables_and_leaves_a_whole_file(site: Site) -> None:
    site.go()
    async with opened(site.config()) as backend:
        await outcome(backend, attempt(in_image()))
    (pull,) = site.pulls
    assert re.fullmatch(r"t0k pull \.tool-1-\w+\.sif\.part docker://tool:1", pull)
    assert [path.name for path in (site.root / "work" / "images").glob("*.sif*")] == [pull.split()[2][1:-5]]


async def test_a_work_directory_that_a_pull_makes_is_ignored_by_git(site: Site) -> None:
    site.go()
    async with opened(site.config()) as backend:
        await outcome(backend, attempt(in_image()))
    assert (site.root / "work" / ".gitignore").read_text() == "*\n"


async def test_a_pull_goes_on_without_its_client(site: Site) -> None:
    async with opened(site.config()) as backend:
        waiting = asyncio.create_task(backend.submit(attempt(in_image())))
        await true(lambda: site.pulls)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    site.go()
    await true(lambda: list((site.root / "work" / "images").glob("tool*.sif")))
    assert len(site.pulls) == 1


async def test_an_image_that_cannot_be_pulled_is_named_with_the_words_of_the_runtime(site: Site) -> None:
    async with opened(site.config()) as backend:
        with pytest.raises(SubmitError, match=r"^here: image 'bad:1' is not on this machine, and apptainer cannot"):
            await backend.submit(attempt(in_image("bad:1")))
    assert site.asked == site.pulls


async def test_a_file_is_taken_as_it_is(site: Site) -> None:
    file = site.root / "own.sif"
    file.write_text("image")
    async with opened(site.config()) as backend:
        ended = await outcome(backend, attempt(in_image(str(file))))
    assert (ended.stdout_tail, site.pulls) == ("done\n", [])


async def test_a_file_that_is_not_there_is_named(site: Site) -> None:
    async with opened(site.config()) as backend:
        with pytest.raises(SubmitError, match=r"^here: image '/nowhere/own\.sif' is not on this machine$"):
            await backend.submit(attempt(in_image("/nowhere/own.sif")))


async def test_a_runtime_that_is_not_there_is_named(site: Site) -> None:
    async with opened(site.config(loads=False)) as backend:
        with pytest.raises(SubmitError, match=r"^here: image 'tool:1' needs apptainer, and there is no command"):
            await backend.submit(attempt(in_image()))
    assert site.asked == []


async def test_a_runtime_that_fails_on_the_node_is_not_taken_for_the_command(site: Site) -> None:
    broken = site.root / "broken.sif"
    broken.write_text("no image")
    site.fake.write_text(FAKE.replace("|| exit 255", '|| { echo "FATAL:   could not open image" >&2; exit 255; }'))
    async with opened(site.config()) as backend:
        ended = await outcome(backend, attempt(in_image(str(broken))))
    assert ended.detail == f"apptainer could not run image '{broken}' on {ended.node}: could not open image"


@pytest.mark.parametrize("client", ["paramiko", "openssh"])
async def test_at_the_other_end_of_ssh_it_is_pulled_into_the_home_there(sshd: Sshd, client: str) -> None:
    with shared_directory(sshd.user) as directory:
        site = Site(directory)
        site.go()
        locale = f"{{ host = 'login.slurm.cluster', client = '{client}', ssh_config = '{sshd.ssh_config}' }}"
        made = site.config(f"submit = '~{{command}}'\nlocale = {locale}")
        try:
            async with opened(made.model_copy(update={"work_dir": f"~/{directory.name}"})) as backend:
                ended = await outcome(backend, attempt(in_image()))
            (pull,) = site.pulls
        finally:
            shutil.rmtree(Path(f"~{sshd.user}", directory.name).expanduser())
    assert (ended.stdout_tail, ended.exit_codes) == ("done\n", (0,))
    assert pull.startswith("t0k pull .tool-1-")
