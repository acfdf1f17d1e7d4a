"""The directory of one attempt on this machine. Every function here blocks."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

from crankshaft_core.backends.docker.layout import Layout, beneath
from crankshaft_core.backends.docker.mounts import Placement, input_file, root_directory
from crankshaft_core.config.docker import Mount
from crankshaft_core.errors import StagingError

__all__ = ["TaskDirectory"]

_log = logging.getLogger(__name__)


class TaskDirectory:
    """`stdout`, `stderr` and `outputs` stay; `files`, `inputs` and `fetched` go when the attempt is released.

    Nobody else may enter it. What is mounted from it is open to every user inside the container.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.outputs = path / "outputs"
        self.fetched = path / "fetched"

    def stream(self, name: str) -> Path:
        """The file that holds all of "stdout" or "stderr"."""
        return self.path / name

    def live(self, name: str) -> Path:
        """The file that "stdout" or "stderr" of a running attempt is gathered in."""
        return self.path / f"{name}.live"

    def make(self, layout: Layout, placements: Sequence[Placement], mounts: Sequence[Mount], *, bind: bool) -> None:
        """Make what is mounted from here. Raises StagingError. Harmless when repeated before the task has started."""
        try:
            for made in (self.path.parent, self.path):
                made.mkdir(mode=0o700, parents=True, exist_ok=True)
            if bind:
                self._make_roots(layout)
                for item in placements:
                    self._bring(item, layout)
                self._make_places([item.target for item in mounts], layout)
        except OSError as error:
            raise StagingError(f"{self.path}: {error.strerror or error}: {error.filename}") from error

    def host_path(self, path: str, layout: Layout) -> Path | None:
        """Where a path of the container is here, if it is in one of the roots."""
        number = layout.root_of(path)
        if number is None:
            return None
        return root_directory(self.path, number) / path[len(layout.roots[number]) :].lstrip("/")

    def prune(self) -> None:
        """Remove all but the streams and the outputs; what cannot be removed is named in the log."""
        for name in ("files", "inputs", "fetched"):
            _remove(self.path / name)
        for name in ("stdout", "stderr"):
            self.live(name).unlink(missing_ok=True)
        for made in (self.path, self.path.parent, self.path.parent.parent):
            try:
                made.rmdir()
            except OSError:  # it is not empty, which is the usual case
                return

    def _make_roots(self, layout: Layout) -> None:
        for number in range(len(layout.roots)):
            _open_directory(root_directory(self.path, number))
        for path in layout.inner:
            place = self.host_path(path, layout)
            if place is not None:
                _open_directory(place)

    def _bring(self, item: Placement, layout: Layout) -> None:
        """Write or copy the input where it is mounted from, and make the place it is mounted on."""
        place = self.host_path(item.target, layout)
        if item.blended and place is not None and item.staged.file is not None:
            shutil.copytree(item.staged.file, place, symlinks=True, dirs_exist_ok=True)
            return
        source = input_file(item, self.path)
        if not item.in_place:
            source.parent.mkdir(parents=True, exist_ok=True)
            _copy(item, source)
        if place is not None:
            _make_place(place, directory=source.is_dir())

    def _make_places(self, targets: Sequence[str], layout: Layout) -> None:
        """What is not there the engine makes itself, as root, and only root could remove it again."""
        for target in targets:
            place = self.host_path(target, layout)
            if place is not None and not any(beneath(root, target) for root in layout.roots):
                _make_place(place, directory=True)


def _open_directory(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o777)  # whoever the image's user is; the directory above lets nobody else in


def _make_place(place: Path, *, directory: bool) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if directory:
        place.mkdir(exist_ok=True)
    elif not place.exists():
        place.touch()


def _copy(item: Placement, target: Path) -> None:
    if item.staged.content is not None:
        target.write_bytes(item.staged.content)
    elif item.staged.file is not None and item.staged.file.is_dir():
        shutil.copytree(item.staged.file, target, symlinks=True, dirs_exist_ok=True)
    elif item.staged.file is not None:
        shutil.copyfile(item.staged.file, target)
        shutil.copymode(item.staged.file, target)
    if not item.staged.input.read_only:
        target.chmod(0o777 if target.is_dir() else 0o666)
    elif item.staged.content is not None:
        target.chmod(0o644)


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        _log.warning("%s is left behind: its files belong to another user, whom the container ran as", path)
