"""Images: there before a job that needs one is handed over, and fetched once however many tasks wait for it.

They are fetched where the templates run, by a process of its own that holds a lock: a long download neither keeps
other calls waiting nor ends with its client, and other runs wait for it as well.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
from collections.abc import Mapping

from crankshaft_core.backends.environment import configured_env
from crankshaft_core.backends.generic.containers import Runtime
from crankshaft_core.backends.generic.frames import Script
from crankshaft_core.backends.generic.image_names import ImageName
from crankshaft_core.backends.generic.layout import in_shell
from crankshaft_core.config import GenericConfig
from crankshaft_core.drivers.base import Driver
from crankshaft_core.errors import AnswerLostError, SubmitError, TransportError
from crankshaft_core.task import Task

__all__ = ["Images"]

_log = logging.getLogger(__name__)

_FIRST_LOOK, _SLOWEST_LOOK = 0.3, 10.0
"""Seconds between two looks at a download."""


class Images:
    """The images of one backend. What is there is remembered; what could not be had is tried again."""

    def __init__(self, config: GenericConfig, driver: Driver, *, runtime: Runtime, work_dir: str) -> None:
        self._config = config
        self._driver = driver
        self._runtime: Runtime = runtime
        self._work_dir = work_dir
        self._known: dict[str, asyncio.Task[None]] = {}

    async def ensure(self, task: Task) -> None:
        """Wait until all images of a task are there. Raises SubmitError, naming the image, or TransportError."""
        for image in dict.fromkeys(step.image for step in task.executions if step.image):
            await self._once(image)

    async def aclose(self) -> None:
        """Wait no longer. Downloads under way go on, for whoever comes next."""
        waiting = [task for task in self._known.values() if not task.done()]
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    async def _once(self, image: str) -> None:
        """One who looks, for all who wait. A waiter that is cancelled stops nobody else's wait."""
        if image not in self._known:
            self._known[image] = asyncio.get_running_loop().create_task(self._get(image))
        try:
            await asyncio.shield(self._known[image])
        except (SubmitError, TransportError):
            self._known.pop(image, None)
            raise

    async def _get(self, image: str) -> None:
        name = ImageName.of(image, self._runtime, local=self._driver.local, who=self._config.name)
        delay, waited = _FIRST_LOOK, False
        while (state := await self._look(name, image, waited=waited)) != "there":
            if state != "coming":
                raise SubmitError(self._lacking(image, state))
            if not waited:
                _log.info("%s: image %s is being pulled by %s", self._config.name, image, self._runtime)
            waited = True
            await asyncio.sleep(delay)
            delay = min(2 * delay, _SLOWEST_LOOK)

    async def _look(self, name: ImageName, image: str, *, waited: bool) -> str:
        """`there`, `coming`, or why it is neither. Begins to fetch what nobody is fetching."""
        script = Script()
        script.add(self._script(name, waited=waited))
        try:
            done = await self._driver.run(script.text, stdin=_exports(configured_env(self._config.env, os.environ)))
        except AnswerLostError as error:  # looking again does no harm
            raise TransportError(f"{self._config.name}: image {image!r}: {error}") from error
        state = script.pieces(done.stdout).get("image")
        if state is None:
            said = done.stderr.decode("utf-8", "replace").strip()
            raise TransportError(f"{self._config.name}: image {image!r}: {self._driver.where} gave no answer: {said}")
        return state.decode("utf-8", "replace").strip()

    def _script(self, name: ImageName, *, waited: bool) -> str:
        prepare, what = "", shlex.quote(name.kept or name.reference or name.file)
        if self._config.prologue:
            prepare = f"{_MODULES}\n{{\n{self._config.prologue}\n}} </dev/null >/dev/null"
        return "\n".join(
            (
                "ck_variables=$(cat)",
                f"ck_images={in_shell(self._work_dir)}/images",
                f"ck_there() {{ {_there(name, self._runtime)}; }}",
                f"ck_fetch={shlex.quote(_fetch(name, self._runtime))}",
                _FUNCTIONS,
                "(",
                'eval "$ck_variables"',
                prepare,
                f"ck_image {self._runtime} {what} {'1' if waited else ''}",
                ")",
            )
        )

    def _lacking(self, image: str, words: str) -> str:
        who, runtime, where = self._config.name, self._runtime, self._driver.where
        if words == "no runtime":
            return (
                f"{who}: image {image!r} needs {runtime}, and there is no command {runtime!r} on {where}; "
                "load it in `prologue` (module load …), choose another `container`, or set ignore_image = true"
            )
        if words == "no file":
            return f"{who}: image {image!r} is not on {where}"
        return f"{who}: image {image!r} is not on {where}, and {runtime} cannot pull it: {words}"


def _there(name: ImageName, runtime: Runtime) -> str:
    """A command that succeeds if the image is there."""
    if name.file or name.kept:
        return f"[ -e {shlex.quote(name.file or name.kept)} ]"
    verb = "image exists" if runtime == "podman" else "image inspect"
    return f"{runtime} {verb} {shlex.quote(name.reference)} >/dev/null 2>&1"


def _fetch(name: ImageName, runtime: Runtime) -> str:
    """Shell text that fetches the image; empty for a file, which is there or not."""
    if name.file:
        return ""
    if not name.kept:
        return f"{runtime} pull {shlex.quote(name.reference)}"
    part, whole = shlex.quote(f".{name.kept}.part"), shlex.quote(name.kept)
    return f"rm -f {part}; {runtime} pull {part} {shlex.quote(name.reference)} && mv -f {part} {whole}"


def _exports(env: Mapping[str, str]) -> bytes:
    """As shell text for standard input, so that no value is in a script."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in env.items()).encode(
        "utf-8", "surrogateescape"
    )


_MODULES = r"""
type module >/dev/null 2>&1 || for ck_file in /etc/profile.d/z00_lmod.sh /etc/profile.d/{lmod,modules}.sh; do
  [ ! -r "$ck_file" ] || . "$ck_file"
done
""".strip()

_FUNCTIONS = r"""
ck_directory() { # work_dir
  umask 077
  [ -d "$1" ] || { mkdir -p -- "$1" && echo '*' >"$1/.gitignore"; } && mkdir -p -- "$1/images"
}
ck_image() { # runtime, name, 1 if it was coming when somebody looked before
  ck_piece image
  type -P "$1" >/dev/null || { echo no runtime; return; }
  ck_directory "${ck_images%/images}" && cd -- "$ck_images" || { echo "cannot make $ck_images"; return; }
  if ck_there; then echo there; return; fi
  [ -n "$ck_fetch" ] || { echo no file; return; }
  type -P flock >/dev/null || { echo flock: command not found; return; }
  local log lock
  log=pull-$(printf '%s' "$1 $2" | cksum | tr ' ' -).log
  lock=${log%.log}.lock
  exec 9>>"$lock"
  flock -n 9
  case $? in
    0) ;;
    1) echo coming; return ;;
    *) # a file system without locks: at least nobody else on this machine
      lock=${XDG_RUNTIME_DIR:-/tmp}/crankshaft-$(id -u)-$lock
      { exec 9>>"$lock"; } 2>/dev/null || { echo cannot lock "$lock"; return; }
      flock -n 9 || { echo coming; return; } ;;
  esac
  if ck_there; then echo there; return; fi
  if [ -n "$3" ] && [ -e "$log" ]; then # whoever fetched it has ended
    grep -v '^[[:space:]]*$' "$log" | tail -n 1 | grep . || echo its process was ended
    rm -f -- "$log"
    return
  fi
  setsid bash -c "$ck_fetch" </dev/null >"$log" 2>&1 &
  echo coming
}
""".strip()
"""The lock is held by the process that fetches, until it ends, however it does."""
