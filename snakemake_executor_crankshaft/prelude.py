"""What happens before a rule's own command, where it runs. Shell text, for any POSIX shell."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from snakemake_executor_crankshaft.tmpdir import Tmpdir

__all__ = ["PLACE", "Prelude"]

PLACE = "/crankshaft-tmpdir-29b1f0c4"
"""Stands in the command for the machine's own directory of temporary files, which is known only there."""

_WAIT = """\
left={seconds}
for file; do
  until [ -e "$file" ]; do
    if [ "$left" -le 0 ]; then
      echo "Missing input after {seconds} seconds on $(uname -n): $file" >&2
      echo "Files may be seen late on a network file system: see --latency-wait." >&2
      exit 1
    fi
    ls "$(dirname "$file")" >/dev/null 2>&1
    sleep 1
    left=$((left - 1))
  done
done
"""
"""Looking at a directory has a network file system read it anew."""

_SYSTEM_TMPDIR = """\
for place in "$TMPDIR" "$TEMP" "$TMP" /tmp /var/tmp /usr/tmp "$PWD"; do
  if [ -n "$place" ] && [ -d "$place" ] && [ -w "$place" ]; then break; fi
done
"""
"""As Python's `tempfile.gettempdir` looks for it."""

_GIVEN_TMPDIR = """\
place={path}
mkdir -p -- "$place" || exit 1
"""

_EXPORT_TMPDIR = """\
export TMPDIR="$place" TMP="$place" TEMPDIR="$place" TEMP="$place"
"""

_FILL_IN_TMPDIR = f"""\
rest=$command command=
while :; do
  case $rest in
    *{PLACE}*) command=$command${{rest%%{PLACE}*}}$place rest=${{rest#*{PLACE}}} ;;
    *) break ;;
  esac
done
command=$command$rest
"""

_MAKE_WAY = """\
for place in {directories}; do mkdir -p -- "$place" || exit 1; done
for place in {files}; do : >"$place" || exit 1; done
"""

_STRICT_WITHOUT_BASH = """\
if ! command -v {shell} >/dev/null 2>&1; then
  (set -o pipefail) 2>/dev/null && strict='set -euo pipefail' || strict='set -eu'
  case $command in {prefix}*) command="$strict; ${{command#{prefix}}}" ;; esac
  exec sh -c "$command"
fi
"""
"""An image may have no bash. Its shell is as strict as it can be."""

BASH_PREFIX = "set -euo pipefail; "
"""Snakemake's, for bash."""


@dataclass(frozen=True, slots=True)
class Prelude:
    """Waits for inputs, chooses the directory of temporary files, and becomes the shell that runs the command."""

    shell: str
    """A path, or in a container a name."""
    tmpdir: Tmpdir | None
    wait_seconds: int
    in_image: bool = False
    directories: Sequence[str] = ()
    """To be made where the job runs: nobody has made them there."""
    files: Sequence[str] = ()
    """To be there, if only empty."""

    def arguments(self, command: str, inputs: Sequence[str]) -> tuple[str, ...]:
        """For the shell that runs the prelude: the text, its name, and what it is given."""
        return ("-c", self.text(), "crankshaft", command, *inputs)

    def text(self) -> str:
        """The script. `$1` is the command, and what follows are the inputs."""
        shell = shlex.quote(self.shell)
        parts = ["command=$1\nshift\n", _WAIT.format(seconds=self.wait_seconds)]
        if self.directories or self.files:
            parts.append(_MAKE_WAY.format(directories=shlex.join(self.directories), files=shlex.join(self.files)))
        if self.tmpdir is not None:
            parts += _tmpdir_parts(self.tmpdir)
        if self.in_image:
            parts.append(_STRICT_WITHOUT_BASH.format(shell=shell, prefix=shlex.quote(BASH_PREFIX)))
        return "".join([*parts, f'exec {shell} -c "$command"\n'])


def _tmpdir_parts(tmpdir: Tmpdir) -> tuple[str, ...]:
    if tmpdir.path is not None:
        return _GIVEN_TMPDIR.format(path=shlex.quote(tmpdir.path)), _EXPORT_TMPDIR
    return _SYSTEM_TMPDIR, _EXPORT_TMPDIR, _FILL_IN_TMPDIR
