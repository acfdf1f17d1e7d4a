"""`--input` and `--output`: files that travel with the task, where the backend does not see this machine's."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

__all__ = ["input_problem", "read_input", "read_output"]

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def read_input(text: str) -> dict[str, object]:
    """`PATH=URL`: the task finds at PATH what is at the URL, which may be a path here. `PATH` alone is both."""
    path, source = _parts(text)
    directory = path.endswith("/") or Path(source).is_dir()
    return {"path": path, "url": _url(source), "type": "DIRECTORY" if directory else "FILE"}


def read_output(text: str) -> dict[str, object]:
    """`PATH=URL`: what the task leaves at PATH comes to the URL, a wildcard's matches into it. `PATH` alone is both."""
    path, target = _parts(text)
    if target == path and any(sign in path for sign in "*?["):
        target = posixpath.dirname(path)
    return {"path": path, "url": _url(target), "type": "DIRECTORY" if path.endswith("/") else "FILE"}


def input_problem(text: str) -> str | None:
    """What is wrong with an input before anything is read from elsewhere; None if nothing is."""
    path, source = _parts(text)
    if not path or not source:
        return f"--input {text}: write it as PATH or PATH=URL"
    if _SCHEME.match(source) or Path(source).exists():
        return None
    return f"--input {text}: there is no file {source} here; another place is written as PATH=URL"


def _parts(text: str) -> tuple[str, str]:
    path, equals, place = text.partition("=")
    return path, place if equals else path


def _url(place: str) -> str:
    return place if _SCHEME.match(place) else str(Path.cwd() / place)
