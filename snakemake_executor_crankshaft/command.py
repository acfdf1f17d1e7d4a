"""The command that runs one job through an inner Snakemake."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from crankshaft_core.task import Execution

__all__ = ["InnerRun", "quiet_arguments", "wait_arguments"]

ONCE = ("--preemptible-retries", "0", "--preemptible-rules")
"""Every rule is tried once. `--retries 0` alone leaves a rule's own `retries:` alive, and the outer run multiplies it;
only the retries of preemptible rules outrank it (`Rule.restart_times`), and an inner run has no other use for them."""

AT_ONCE = ("--max-jobs-per-timespan", "1000/0s")
"""The limit's timer, 1 s by default, keeps an inner run alive after its work is done."""

REMOTE = ("--mode", "remote")

_ARGUMENT_BYTES = 100_000
"""More than this in file names goes into a file: a command line holds 2 MiB in all (execve(2), ARG_MAX)."""


@dataclass(frozen=True, slots=True)
class InnerRun:
    """One inner Snakemake: what it is started with, each argument as it must arrive."""

    python: str
    snakefile: str
    arguments: Sequence[str]
    precommand: str = ""
    """Shell text that has to succeed first."""
    container: str | None = None
    """The rule's own image, where Snakemake does not run it by itself."""
    needs_sources = True

    def prepare(self) -> None:
        """Nothing: the inner run does."""

    def execution(self, *, env: Mapping[str, str], work_dir: str | None, image: str | None = None) -> Execution:
        """The inner run as a task's execution.

        Without a shell in between where there can be none: a shell that is told to end does so at once, and its
        children have no time to.
        """
        words = ("-m", "snakemake", "--snakefile", self.snakefile, *self.arguments, *ONCE, *AT_ONCE, *REMOTE)
        if not self.precommand:
            return Execution(program=self.python, args=words, env=env, work_dir=work_dir, image=image)
        command = f"{self.precommand} && exec {shlex.join((self.python, *words))}"
        return Execution(command=command, env=env, work_dir=work_dir, image=image)


def quiet_arguments(*, verbose: bool, group: bool) -> tuple[str, ...]:
    """What an inner run does not say, since the outer one says it. In a group the error names the rule that failed."""
    if verbose:
        return ()
    return ("--quiet", "progress", "host") if group else ("--quiet", "progress", "host", "rules")


def wait_arguments(files: Iterable[str], directory: Path) -> tuple[str, ...]:
    """Have the inner run wait until `files` are seen where it runs: network file systems show them late.

    A long list is written to a file in `directory`, named for its content.
    """
    names = [str(name) for name in files]
    if not names:
        return ()
    text = "\n".join(names) + "\n"
    if len(text.encode()) <= _ARGUMENT_BYTES:
        return ("--wait-for-files", *names)
    path = directory / f"wait-{hashlib.sha256(text.encode()).hexdigest()[:16]}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return ("--wait-for-files-file", str(path.resolve()))
