"""A file of tasks: one JSON object a line, read and checked as a whole before any of it runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, cast

from pydantic import ValidationError

from crankshaft_core.cli.task_fields import problems, task_from_fields
from crankshaft_core.errors import ConfigError, CrankshaftError
from crankshaft_core.task import Task

__all__ = ["TaskLine", "content_of", "tasks_in"]


_BOTH = (
    'with "executions" or "resources" a line is a whole Task, and what it runs and needs stands in those: '
    '{"executions": [{"command": ...}], "resources": {"cpu": ...}}; or write it flat: {"command": ..., "cpu": ...}'
)


@dataclass(frozen=True, slots=True)
class TaskLine:
    """One line: a task, and the backend it names, if it does. `place` is `FILE:LINE`."""

    place: str
    task: Task
    backend: str | None = None


def content_of(path: str) -> bytes:
    """The whole file, or standard input for `-`. Raises ConfigError."""
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None


def tasks_in(content: bytes, *, source: str, complete: Callable[[TaskLine], TaskLine]) -> list[TaskLine]:
    """Every task of a file's content, one a line; empty lines are passed over.

    `complete` makes of a line what is to run, and raises CrankshaftError if that could not be submitted. Raises
    ConfigError with every problem of every line, each under its place.
    """
    lines: list[TaskLine] = []
    wrong: list[str] = []
    for place, text in _texts(content, source):
        try:
            lines.append(complete(_read(place, text)))
        except ConfigError as error:
            wrong += [f"{place}: {problem}" for problem in error.problems]
        except CrankshaftError as error:
            wrong.append(f"{place}: {error}")
    if wrong:
        raise ConfigError([*wrong, "nothing was submitted"])
    if not lines:
        raise ConfigError(f"{source}: there is no task in it; write one JSON object a line")
    return lines


def _texts(content: bytes, source: str) -> Iterator[tuple[str, bytes]]:
    """The lines that are not empty, with their places."""
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if line.strip():
            yield f"{source}:{number}", line


def _read(place: str, text: bytes) -> TaskLine:
    document = _object(text)
    backend = document.pop("backend", None)
    if backend is not None and not isinstance(backend, str):
        raise ConfigError("backend: must be text")
    document.setdefault("name", f"line-{place.rpartition(':')[2]}")
    if not document.keys() & {"executions", "resources"}:
        return TaskLine(place, task_from_fields(document), backend)
    if document.keys() - Task.model_fields.keys():
        raise ConfigError(_BOTH)
    try:
        return TaskLine(place, Task.model_validate(document), backend)
    except ValidationError as error:
        raise ConfigError(problems(error)) from None


def _object(text: bytes) -> dict[str, object]:
    """The line as JSON. A key given twice, NaN and the infinities are refused: readers differ on what they mean."""
    try:
        value: object = json.loads(text.decode("utf-8"), object_pairs_hook=_once, parse_constant=_refuse)
    except UnicodeDecodeError as error:
        raise ConfigError(f"not UTF-8 (byte {error.start + 1} of the line)") from None
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"not JSON: {error.msg[:1].lower()}{error.msg[1:]} at column {error.colno}{_hint(text)}"
        ) from None
    except RecursionError:
        raise ConfigError("not a task: nested too deep") from None
    if not isinstance(value, dict):
        raise ConfigError(
            f'a line must be a JSON object, such as {{"command": "hostname"}}, not {json.dumps(value)[:40]}'
        )
    return cast("dict[str, object]", value)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ConfigError(f"the key {twice!r} stands there twice")
    return document


def _refuse(constant: str) -> NoReturn:
    raise ConfigError(f"{constant} is no number a task can ask for")


def _hint(text: bytes) -> str:
    start = text.lstrip()
    if start.startswith((b"[", b"]")):
        return "; write one object a line, without a list around them"
    if start.startswith(b"#"):
        return "; JSON has no comments"
    if b"'" in text and b'"' not in text:
        return "; JSON wants double quotes"
    return "; each line is one whole JSON object"
