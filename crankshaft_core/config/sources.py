"""Where configuration is looked for, weakest first, and which of what is found may be trusted."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from crankshaft_core.config.documents import Report, Text
from crankshaft_core.config.tree import VARIABLE, Origin, Problem

__all__ = ["FILE", "TEXT", "Surroundings", "texts"]

FILE = "CRANKSHAFT_CONFIG"
"""The variable that names a file."""

TEXT = "CRANKSHAFT_CONFIG_TOML"
"""The variable that holds a file's text, for containers."""

SUFFIXES = (".toml", ".json", ".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is looked at: a working directory, variables, and the directory of the site's file."""

    cwd: Path
    environ: Mapping[str, str]
    site: Path = Path("/etc/crankshaft")


def texts(explicit: Path | None, around: Surroundings, report: Report) -> Iterator[Text]:
    """Every source there is, weakest first. What cannot be read or trusted is reported, and left out."""
    chosen, said = _chosen(explicit, around)
    found = _Found(around, report)
    named_again = False
    for path in list(_discovered(around, found)):
        named = chosen is not None and _same(path, chosen)
        named_again = named_again or named  # it keeps its place: what is personal still goes over it
        yield from found.read(path, trusted=named)
    if chosen is not None and not named_again:
        yield from found.read(chosen, trusted=True, said=said)
    if explicit is None and around.environ.get(TEXT):
        yield Text(around.environ[TEXT], VARIABLE + TEXT, around.cwd)


def _chosen(explicit: Path | None, around: Surroundings) -> tuple[Path | None, str]:
    if explicit is not None:
        return around.cwd / explicit.expanduser(), ""
    named = around.environ.get(FILE)
    return (around.cwd / Path(named).expanduser(), f", which {FILE} names") if named else (None, "")


def _discovered(around: Surroundings, found: _Found) -> Iterator[Path]:
    """Site, user, project and the local file beside the project's."""
    yield from found.one_of(around.site, "Crankshaft")
    user = _user_directory(around.environ)
    if user is not None:
        yield from found.one_of(user, "Crankshaft")
    for directory in (around.cwd, *around.cwd.parents):
        here = list(found.one_of(directory, "Crankshaft"))
        if here:
            yield from here
            yield from found.one_of(directory, "Crankshaft.local")
            return


def _user_directory(environ: Mapping[str, str]) -> Path | None:
    xdg, home = environ.get("XDG_CONFIG_HOME", ""), environ.get("HOME", "")
    if Path(xdg).is_absolute():  # the XDG base directory specification ignores relative paths
        return Path(xdg) / "crankshaft"
    if sys.platform != "linux" and environ is os.environ:
        return platformdirs.user_config_path("crankshaft", appauthor=False)
    return Path(home) / ".config" / "crankshaft" if Path(home).is_absolute() else None


@dataclass(frozen=True, slots=True)
class _Found:
    around: Surroundings
    report: Report

    def one_of(self, directory: Path, stem: str) -> Iterator[Path]:
        """The file of this name in any of the formats; several are reported, and the first is taken."""
        present = [path for suffix in SUFFIXES if os.path.lexists(path := directory / (stem + suffix))]
        if len(present) > 1:
            names = " and ".join(path.name for path in present)
            self._wrong(present[0], f"{names} stand side by side; keep one of them")
        yield from present[:1]

    def read(self, path: Path, *, trusted: bool, said: str = "") -> Iterator[Text]:
        """The file's text. A file that nobody named is read only if no other user can have written it."""
        try:
            content = _content(path, trusted=trusted).decode("utf-8-sig")
        except _DistrustError as error:
            self._wrong(path, f"{error}; make it yours alone, or name it with --config or {FILE}")
        except OSError as error:
            self._wrong(path, f"cannot be read{said}: {error.strerror}")
        except UnicodeDecodeError as error:
            self._wrong(path, f"not UTF-8 text (byte {error.start + 1})")
        else:
            suffix = path.suffix.lower()
            yield Text(content, self._label(path), path.parent, suffix if suffix in SUFFIXES else ".toml")

    def _wrong(self, path: Path, message: str) -> None:
        self.report(Problem(Origin(self._label(path)), "", message, fatal=True))

    def _label(self, path: Path) -> str:
        return str(path.relative_to(self.around.cwd)) if path.is_relative_to(self.around.cwd) else str(path)


class _DistrustError(Exception):
    """The file may be another user's doing."""


def _content(path: Path, *, trusted: bool) -> bytes:
    if not trusted:
        _refuse_foreign(path.lstat())
    with path.open("rb") as file:
        if not trusted:
            _refuse_foreign(os.fstat(file.fileno()))  # the very file that is read, whatever the path means by now
        return file.read()


def _refuse_foreign(status: os.stat_result) -> None:
    """The directory is not looked at: whoever puts a file there owns it."""
    if status.st_uid not in {0, os.geteuid()}:
        raise _DistrustError(f"it belongs to {_user(status.st_uid)}, neither to you nor to root")
    if status.st_mode & stat.S_IWOTH and not stat.S_ISLNK(status.st_mode):
        raise _DistrustError("everybody may write to it (chmod o-w)")


def _user(uid: int) -> str:
    import pwd

    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"user id {uid}"


def _same(first: Path, second: Path) -> bool:
    try:
        return first.samefile(second)
    except OSError:
        return False
