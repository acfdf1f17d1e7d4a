"""Is the place where the templates run reachable and usable? One harmless round trip."""

from __future__ import annotations

import re
import shlex

from crankshaft_core.backends.base import Health
from crankshaft_core.backends.generic.frames import Script
from crankshaft_core.backends.generic.layout import in_shell
from crankshaft_core.config import GenericConfig, memory_mistake
from crankshaft_core.drivers.base import Driver
from crankshaft_core.errors import BackendError

__all__ = ["check"]


async def check(config: GenericConfig, driver: Driver, *, work_dir: str) -> Health:
    """Says what is wrong; raises nothing for a place that is down."""
    script = Script()
    script.add(_CHECK)
    script.add(f"ck_writable {in_shell(work_dir)}")
    commands = [shlex.split(config.shell)[0], *_first_words(config)]
    script.add(f"ck_commands {shlex.join(commands)}")
    if config.monitor_all is not None:
        script.add("ck_piece list")
        script.add(f"(ck_scrub; set -o pipefail; {config.monitor_all}\n) </dev/null >/dev/null 2>&1; echo $?")
    try:
        done = await driver.run(script.text, timeout=60.0)
    except BackendError as error:
        return Health(ok=False, summary=str(error))
    pieces = {name: content.decode("utf-8", "replace").strip() for name, content in script.pieces(done.stdout).items()}
    problems = [*pieces.get("problems", "no answer").splitlines(), *pieces.get("missing", "").splitlines()]
    if mistake := memory_mistake(config.submit):
        problems.append(f"submit: {mistake}")
    if pieces.get("list", "0") != "0":
        problems.append(f"monitor_all ended with exit status {pieces['list']}")
    where = f"{pieces.get('who', 'somebody')} on {driver.where}"
    if problems:
        return Health(ok=False, summary=f"{where}: {'; '.join(problems)}")
    return Health(ok=True, summary=f"{where}, work_dir {work_dir}", notes=tuple(_notes(config)))


def _first_words(config: GenericConfig) -> list[str]:
    """The commands that the templates begin with."""
    templates = (config.submit, config.monitor_all, config.monitor, config.kill, config.diagnose)
    words = [text.split()[0] for text in templates if text and text.split()]
    return list(dict.fromkeys(word for word in words if re.fullmatch(r"[\w./+-]+", word)))


def _notes(config: GenericConfig) -> list[str]:
    slots = f"{config.max_tasks} tasks at once"
    return [slots, f"preset {config.preset}"] if config.preset else [slots]


_CHECK = r"""
ck_writable() { # directory, which may have to be made yet
  local place=$1
  while [ ! -e "$place" ] && [ "$place" != "${place%/*}" ]; do place=${place%/*}; done
  place=${place:-/}
  ck_piece who; printf '%s' "$(id -un)"
  ck_piece problems
  if [ ! -d "$place" ]; then echo "work_dir: $place is no directory"; return; fi
  [ -w "$place" ] && [ -x "$place" ] || echo "work_dir: $place cannot be written to"
}
ck_commands() { # names
  local name
  ck_piece missing
  for name; do type "$name" >/dev/null 2>&1 || echo "$name: command not found"; done
}
""".strip()
