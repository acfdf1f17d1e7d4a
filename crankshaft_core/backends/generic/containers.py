"""The shell text that runs one execution in a container: pure, a function for each family of runtimes.

The variables' values are nowhere in it: a runtime takes them from its own environment, by their names. What the job
alone knows (its user, the directory for temporary files, the GPUs it was given) is looked up where it runs.
Sources: podman-run(1), docker run(1), apptainer-exec(1).
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from crankshaft_core.task import Resources

__all__ = ["Bind", "Box", "Runtime", "ending", "launch", "removal"]

Runtime = Literal["apptainer", "singularity", "podman", "docker"]

_OF_THE_JOB = (
    "CRANKSHAFT_ATTEMPT",  # by which the processes of a cancelled job are found
    "CUDA_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
    "SLURM_JOB_ID",
    "SLURM_CPUS_PER_TASK",
)
"""Variables that a job has by itself and that its command needs to know, also in a container."""


_NOTHING = Resources()


@dataclass(frozen=True, slots=True, order=True)
class Bind:
    """A path of the job's machine, as the container sees it. `make`: it is a directory that may have to be made yet."""

    target: str
    source: str
    read_only: bool = False
    make: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """One execution, and the container it is to run in."""

    runtime: Runtime
    image: str
    """As the runtime takes it: a reference, or the path of a file."""
    name: str
    """Of the container; nobody else's."""
    cwd: str
    command: Sequence[str]
    binds: Sequence[Bind] = ()
    variables: Sequence[str] = ()
    """Names."""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    resources: Resources = _NOTHING
    stdin: bool = False
    extra: str = ""
    """More arguments, as shell text."""

    @property
    def by_engine(self) -> bool:
        """An engine runs it, under a name; else it is a process of the job like any other."""
        return self.runtime in {"podman", "docker"}


def launch(box: Box) -> str:
    """Lines of bash, the last of which replaces the shell with the runtime."""
    lines = [f"[ -d {source} ] || mkdir -p -- {source}" for source in _to_make(box)]
    lines += _engine(box) if box.by_engine else _unprivileged(box)
    return "\n".join(f"  {line}" for line in lines)


def ending(box: Box, *, grace: float) -> str:
    """Lines of bash that have the engine kill the container after `grace` seconds, whoever of us is left by then.

    What kills the client, a scheduler for instance, does not reach the container.
    """
    if not box.by_engine:
        return ""
    return f"  {box.runtime} stop -t {math.ceil(grace)} {shlex.quote(box.name)}"


def removal(box: Box) -> str:
    """Lines of bash after which nothing is left of a container whose client was killed; empty if that cannot be."""
    if not box.by_engine:
        return ""
    name = shlex.quote(box.name)
    # twice: the engine may have been making it while its client was killed
    return "\n".join(
        (
            "  for _ck_n in 1 2; do",
            f"    timeout 20 {box.runtime} kill {name}",
            f"    timeout 20 {box.runtime} rm --force --volumes {name}",
            "    sleep 0.3",
            "  done",
        )
    )


def _to_make(box: Box) -> Iterator[str]:
    return (shlex.quote(bind.source) for bind in box.binds if bind.make)


def _engine(box: Box) -> Iterator[str]:
    """podman and docker. The user is the job's, so that the files are; what is cut off from signals gets an init."""
    yield 'local _ck_o=(--user "$EUID:${GROUPS[0]}")'
    if box.runtime == "podman":
        keep = "--userns=keep-id --annotation=run.oci.keep_original_groups=1"
        yield f'[ "$EUID" = 0 ] || _ck_o+=({keep})'
    else:
        yield '_ck_o+=("${GROUPS[@]/#/--group-add=}")'
    yield _temporary('--mount "type=bind,source=$TMPDIR,target=$TMPDIR" --env TMPDIR')
    yield f'exec {shlex.join(_engine_words(box))} "${{_ck_o[@]}}" {_tail(box)}'


def _engine_words(box: Box) -> list[str]:
    words = [box.runtime, "run", "--rm", "--init", f"--name={box.name}", "--entrypoint=", "--log-driver=none"]
    # `stop` is to kill what does not end: that it should, the command is told once, by its client
    words += ["--stop-signal=CONT", "--security-opt=label=disable", f"--workdir={box.cwd}"]
    words += [f"--label={name}={value}" for name, value in box.labels.items()]
    words += [f"--mount={_mount(bind)}" for bind in box.binds]
    if "HOME" not in box.variables:
        words.append("--env=HOME=/tmp")  # a user by number has none in most images
    words += [f"--env={name}" for name in (*_OF_THE_JOB, *box.variables)]
    if box.stdin:
        words.append("--interactive")
    return words + _limits(box)


def _limits(box: Box) -> list[str]:
    wanted = box.resources
    words: list[str] = []
    if wanted.cpu_limit is not None:
        words.append(f"--cpus={wanted.cpu_limit:g}")
    if wanted.ram_limit is not None:
        limit = round(wanted.ram_limit * 2**30)
        words += [f"--memory={limit}b", f"--memory-swap={limit}b"]
    if wanted.gpu:
        words.append("--device=nvidia.com/gpu=all" if box.runtime == "podman" else "--gpus=all")
    return words


def _mount(bind: Bind) -> str:
    return f"type=bind,source={bind.source},target={bind.target}" + (",readonly" if bind.read_only else "")


def _unprivileged(box: Box) -> Iterator[str]:
    """apptainer and singularity. Nothing of this machine's software and of the user's home is in the image's way."""
    prefix = box.runtime.upper()
    yield "local _ck_n _ck_o=()"
    yield f"for _ck_n in {' '.join((*_OF_THE_JOB, *_without_home(box.variables)))}; do"
    yield f'  [ -z "${{!_ck_n+x}}" ] || export "{prefix}ENV_$_ck_n=${{!_ck_n}}"'
    yield "done"
    yield f"export {prefix}_NO_EVAL=1"  # else values are shell text
    yield _temporary(f'--bind "$TMPDIR"; export {prefix}ENV_TMPDIR="$TMPDIR"')
    yield f'exec {shlex.join(_unprivileged_words(box))} "${{_ck_o[@]}}" {_tail(box)}'


def _unprivileged_words(box: Box) -> list[str]:
    words = [box.runtime, "exec", "--cleanenv", "--pid", "--home", box.cwd, "--pwd", box.cwd]
    for bind in box.binds:
        words += ["--bind", _spec(bind)]
    if box.resources.gpu:
        words.append("--nv")
    return words


def _spec(bind: Bind) -> str:
    if bind.read_only:
        return f"{bind.source}:{bind.target}:ro"
    return bind.source if bind.source == bind.target else f"{bind.source}:{bind.target}"


def _without_home(variables: Sequence[str]) -> list[str]:
    """apptainer does not let it be set so."""
    return [name for name in variables if name != "HOME"]


def _temporary(words: str) -> str:
    """Where the job has a directory for temporary files of its own, the container sees it, under the same name."""
    options, _, then = words.partition("; ")
    action = f"_ck_o+=({options}){f'; {then};' if then else ';'}"
    return f'if [ -d "$TMPDIR" ] && [ "$TMPDIR" != /tmp ]; then {action} fi'


def _tail(box: Box) -> str:
    return " ".join(filter(None, (box.extra, shlex.join([box.image, *box.command]))))
