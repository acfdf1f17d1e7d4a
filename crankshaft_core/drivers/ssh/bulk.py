"""Moving files over a shell: a tar stream in one call, however many files. `PutPlan` and `GetPlan` are pure."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from errno import ENOENT
from pathlib import Path, PurePosixPath
from typing import IO

from crankshaft_core.drivers.ssh.archive import Member, Reader, size, stream
from crankshaft_core.drivers.ssh.framing import new_token
from crankshaft_core.drivers.ssh.shell import Body, Shell
from crankshaft_core.errors import StagingError

__all__ = ["GetPlan", "PutPlan", "get", "put"]

MISSING = 44
"""Exit status of the `get` script when a path is not there; its stderr then lists them."""


@dataclass(frozen=True, slots=True)
class PutPlan:
    """Which files go where, and by which script.

    Files come to lie in a folder of their own beside their places, and are renamed when all of them are there: each
    appears whole or not at all, and nothing appears when the stream breaks off.
    """

    members: tuple[Member, ...]
    places: Mapping[str, tuple[str, ...]]
    """Each directory, and the names of the files in it."""
    token: str

    @classmethod
    def of(cls, files: Mapping[Path, str]) -> PutPlan:
        """Directories are sent with all that is in them. Raises FileNotFoundError and other OSErrors, ValueError."""
        token = new_token()
        members: list[Member] = []
        places: dict[str, list[str]] = {}
        for source, target in _flat(files):
            folder, name = _split(target)
            names = places.setdefault(folder, [])
            if source is not None:
                names.append(name)
                members.append(_member(source, f"{folder}/.ck-{token}/{name}"))
        return cls(tuple(members), {folder: tuple(names) for folder, names in places.items()}, token)

    @property
    def script(self) -> str:
        """Reads the archive from its standard input."""
        folders = [folder for folder, names in self.places.items() if names]
        hidden = [f"{folder}/.ck-{self.token}" for folder in folders]
        moves = [
            f"{_listed(f'{folder}/.ck-{self.token}/{name}' for name in self.places[folder])} | "
            f"xargs -0 mv -f -t {shlex.quote(folder)} --"
            for folder in folders
        ]
        steps = [
            "set -o pipefail",
            f"clean() {{ {_listed(hidden)} | xargs -0 -r rm -rf --; }}",
            "trap clean EXIT",
            f"{_listed([*self.places, *hidden])} | xargs -0 mkdir -p -- || exit",
            "tar -x -P -m --no-same-owner --no-same-permissions -f - || exit",
            *(f"{move} || exit" for move in moves),
        ]
        return "\n".join(steps)


@dataclass(frozen=True, slots=True)
class GetPlan:
    """Which paths come to where."""

    files: Mapping[str, Path]

    @property
    def script(self) -> str:
        """Writes the archive to its standard output."""
        names = _listed(_named(path) for path in self.files)
        look = '[[ -e $path ]] || { printf "%s\\0" "$path" >&2; missing=1; }'
        return "\n".join(
            [
                "missing=",
                f'while IFS= read -r -d "" path; do {look}; done < <({names})',
                f"[[ -z $missing ]] || exit {MISSING}",
                f"{names} | tar -c -P -h --hard-dereference --null --no-unquote -T - -f -",
            ]
        )

    @property
    def roots(self) -> Mapping[PurePosixPath, Path]:
        """The paths as they are named in the archive."""
        return {PurePosixPath(_named(path)): local for path, local in self.files.items()}


Problem = OSError | ValueError | StagingError
"""What leaves the shell in order: it is returned, not raised."""


def put(shell: Shell, files: Mapping[Path, str], *, timeout: float) -> Problem | None:
    """Send the files. None, or what was wrong with them, here or there. Raises what `Call` raises."""
    try:
        plan = PutPlan.of(files)
    except (OSError, ValueError) as error:
        return error
    call = shell.call(plan.script, body=Body(size(plan.members), stream(plan.members)), timeout=timeout)
    for _ in call.stdout():
        pass
    return StagingError(_complaint(call.stderr)) if call.status != 0 else None


def get(shell: Shell, files: Mapping[str, Path], *, timeout: float) -> Problem | None:
    """Fetch the files. None, or what was wrong there. Raises OSError for this machine's files, what `Call` raises."""
    plan = GetPlan(files)
    call = shell.call(plan.script, timeout=timeout)
    arrived = _Arrived(new_token())
    try:
        reader = Reader(call.stdout())
        _unpack(reader, plan.roots, arrived)
        reader.drain()
        problem = _problem(call.status, call.stderr)
        if problem is None:
            arrived.settle()
        return problem
    finally:
        arrived.discard()


class _Arrived:
    """Files that lie beside their places until all is known to be well."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._waiting: list[tuple[Path, Path]] = []

    def write(self, place: Path, content: IO[bytes], *, executable: bool) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = place.parent / f".ck-{self._token}-{len(self._waiting)}"
        self._waiting.append((beside, place))
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o777 if executable else 0o666)
        with os.fdopen(handle, "wb") as file:
            shutil.copyfileobj(content, file, 262_144)

    def settle(self) -> None:
        while self._waiting:
            beside, place = self._waiting[-1]
            beside.replace(place)
            self._waiting.pop()

    def discard(self) -> None:
        for beside, _ in self._waiting:
            beside.unlink(missing_ok=True)


def _unpack(reader: Reader, roots: Mapping[PurePosixPath, Path], arrived: _Arrived) -> None:
    try:
        for info, content in reader.members():
            place = _place(PurePosixPath(info.name), roots)
            if content is not None:
                arrived.write(place, content, executable=bool(info.mode & stat.S_IXUSR))
            elif info.isdir():
                place.mkdir(parents=True, exist_ok=True)
    except tarfile.TarError as error:
        raise StagingError(f"the files did not come as a tar archive: {error}") from error


def _place(path: PurePosixPath, roots: Mapping[PurePosixPath, Path]) -> Path:
    """Where a member of the archive belongs: at the place of what was asked for, or below it."""
    root = next((parent for parent in (path, *path.parents) if parent in roots), None)
    if root is None or ".." in path.relative_to(root).parts:
        raise StagingError(f"the archive holds {str(path)!r}, which nobody asked for")
    return roots[root] / path.relative_to(root)


def _problem(status: int, stderr: bytes) -> Problem | None:
    if status == MISSING:
        paths = [os.fsdecode(path) for path in stderr.split(b"\0") if path]
        return FileNotFoundError(ENOENT, os.strerror(ENOENT), paths[0] if paths else None)
    # tar(1): 1 is "some files changed while being read", which a log does that is still written
    if status == 0 or (status == 1 and b"changed as we read it" in stderr):
        return None
    return StagingError(_complaint(stderr))


def _flat(files: Mapping[Path, str]) -> Iterator[tuple[Path | None, str]]:
    """All files, those in directories too; a directory itself has no source."""
    for source, target in files.items():
        if not source.is_dir():
            yield source, target
            continue
        for folder, _, names in os.walk(source, followlinks=True):
            inside = PurePosixPath(target, Path(folder).relative_to(source).as_posix())
            yield None, f"{inside}/."
            for name in names:
                yield Path(folder, name), str(inside / name)


def _member(source: Path, name: str) -> Member:
    found = source.stat()
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"{source} is neither a file nor a directory")
    return Member(source, name, found.st_size, stat.S_IMODE(found.st_mode))


def _split(target: str) -> tuple[str, str]:
    """Directory and name; an empty name for a directory itself."""
    folder, _, name = target.rpartition("/")
    if name in {"", ".", ".."}:
        if name == ".":
            return _named(folder), ""
        raise ValueError(f"{target!r} is not the path of a file")
    return _named(folder or ("/" if target.startswith("/") else ".")), name


def _named(path: str) -> str:
    """A path that no command takes for an option, without superfluous slashes and dots."""
    plain = str(PurePosixPath(path))
    return plain if plain.startswith(("/", "./")) or plain == "." else f"./{plain}"


def _listed(paths: Iterable[str]) -> str:
    """A command that prints them, each with a NUL behind it. `printf` is part of bash: no limit to their number."""
    return "printf '%s\\0' " + " ".join(shlex.quote(path) for path in paths)


def _complaint(stderr: bytes) -> str:
    """The first line, which names the cause: the others follow from it."""
    lines = stderr.decode(errors="replace").strip().splitlines()
    return lines[0].strip() if lines else "it ended without saying why"
