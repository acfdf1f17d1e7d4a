"""The place where the templates run, reached by scripts: its directory of the run, and one call at a time to it."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from crankshaft_core.backends.generic.archive import archive
from crankshaft_core.backends.generic.frames import Script
from crankshaft_core.backends.generic.layout import RunPaths
from crankshaft_core.backends.generic.local_runs import wrapper_text
from crankshaft_core.backends.generic.room import no_room
from crankshaft_core.config import GenericConfig
from crankshaft_core.drivers.base import Driver
from crankshaft_core.errors import SubmitError, TransportError

__all__ = ["Site"]

_NO_DIRECTORY = 91
_NOT_WRITTEN = 92
"""Exit statuses by which a script says why it did nothing."""


class Site:
    """Runs scripts in the directory of the run, which is made at the first call."""

    def __init__(self, config: GenericConfig, *, run_id: str, driver: Driver) -> None:
        self.driver = driver
        self._config = config
        self._run_id = run_id
        self._preparing = asyncio.Lock()
        self._copier = ThreadPoolExecutor(1, thread_name_prefix="crankshaft-inputs")
        self._paths: RunPaths | None = None

    @property
    def name(self) -> str:
        """For messages: the backend's name."""
        return self._config.name

    async def in_thread(self, call: Callable[[], None]) -> None:
        """Run what takes long, with files of this machine, in a thread of our own."""
        await asyncio.get_running_loop().run_in_executor(self._copier, call)

    def close(self) -> None:
        """Let go of the thread."""
        self._copier.shutdown(wait=False)

    async def paths(self) -> RunPaths:
        """The run's directory, by its absolute path there. Raises TransportError or SubmitError."""
        if self._paths is None:
            async with self._preparing:
                self._paths = self._paths or RunPaths(await self._prepare())
        return self._paths

    async def call(self, script: Script, *, files: bytes = b"", timeout: float = 60.0) -> Mapping[str, bytes]:
        """Run a script in the run's directory, after unpacking `files` there. Returns the pieces of its output.

        Raises SubmitError if the files cannot be written, TransportError if the directory is gone or the output was
        cut off before it told anything, and what `Driver.run` raises.
        """
        root = (await self.paths()).root
        unpack = _UNPACK if files else ""
        text = f"cd {shlex.quote(root)} || exit {_NO_DIRECTORY}\n{unpack}{script.text}"
        done = await self.driver.run(text, stdin=files, timeout=timeout)
        said = done.stderr.decode("utf-8", "replace").strip()
        if done.status == _NO_DIRECTORY:
            raise TransportError(f"{self.name}: {root} is gone from {self.driver.where}")
        if done.status == _NOT_WRITTEN:
            running = int(done.stdout.split()[-1]) if done.stdout.split() else 0
            raise SubmitError(
                no_room(said, name=self.name, work_dir=self._shown_work_dir, running=running)
                or f"{self.name}: cannot write to {root} on {self.driver.where}: {said}"
            )
        pieces = script.pieces(done.stdout)
        if "end" not in pieces and not pieces:
            raise TransportError(f"{self.name}: {self.driver.where} gave no answer: {said[-500:]}")
        return pieces

    @property
    def _shown_work_dir(self) -> str:
        """As a person knows it."""
        return self._config.work_dir or (".crankshaft" if self.driver.local else "~/.crankshaft")

    async def _prepare(self) -> str:
        script = Script()
        script.add(_PREPARE.format(work_dir=_work_dir(self._config, self.driver), run=shlex.quote(self._run_id)))
        setup = (self._config.wrapper_env or "") + "\n"
        texts = {"wrapper": wrapper_text(), "setup": setup.encode()}
        if self._config.prologue:
            texts["prologue"] = self._config.prologue.encode()
        done = await self.driver.run(script.text, stdin=archive([], texts))
        pieces = script.pieces(done.stdout)
        if "root" not in pieces:
            said = done.stderr.decode("utf-8", "replace").strip()
            raise SubmitError(
                no_room(said, name=self.name, work_dir=self._shown_work_dir)
                or f"{self.name}: cannot make {self._config.work_dir or 'the work directory'} on {self.driver.where}: "
                f"{said or f'exit status {done.status}'}"
            )
        return pieces["root"].decode("utf-8", "surrogateescape").rstrip("\n")


def _work_dir(config: GenericConfig, driver: Driver) -> str:
    """As shell text: a `~` at the beginning is that of the place."""
    if config.work_dir is None:
        return "./.crankshaft" if driver.local else '"$HOME"/.crankshaft'
    if config.work_dir == "~" or config.work_dir.startswith("~/"):
        return f'"$HOME"{shlex.quote(config.work_dir[1:])}'
    return shlex.quote(config.work_dir)


_UNPACK = f"""\
(export LC_ALL=C; umask 077; tar -xof - && printf '%65536s' '' >.room && : >.room) || {{
  ck_n=0 # jobs that have begun and have left no record
  for ck_file in tasks/*/start; do
    ck_attempt=${{ck_file%/start}} ck_attempt=${{ck_attempt#tasks/}}
    [ -L "$ck_file" ] || [ -e "$ck_file" ] || continue
    [ -e "done/$ck_attempt" ] || [ -e "seen/$ck_attempt" ] || ck_n=$((ck_n + 1))
  done
  echo "$ck_n"
  exit {_NOT_WRITTEN}
}}
"""
"""Where there is no room left for a few lines, there is none either for the id that a submit prints: a job that nobody
knows of would run."""

_PREPARE = r"""
umask 077
export LC_ALL=C
work_dir={work_dir} run={run}
if [ ! -d "$work_dir" ]; then
  mkdir -p -- "$work_dir" || exit
  echo '*' >"$work_dir/.gitignore"
fi
mkdir -p -- "$work_dir/$run" && cd -- "$work_dir/$run" || exit
mkdir -p done seen tasks && tar -xof - && : >>commands.log || exit
[ -z "$SLURM_CONF" ] || printf 'export SLURM_CONF=%q\n' "$SLURM_CONF" >>setup # srun in the job needs it
ck_piece root
pwd
""".strip()
