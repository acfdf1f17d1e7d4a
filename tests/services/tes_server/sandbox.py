"""A directory in place of a container: the paths a task declares are moved into it, wherever its commands name them."""

from __future__ import annotations

import glob
import os
import posixpath
import re
from pathlib import Path

from tests.services.tes_server.store import Task

__all__ = ["Sandbox"]


class Sandbox:
    """Paths inside the imagined container, and where they really are.

    There is no container and no image: a path in a command, its arguments or its variables is replaced if the task
    declares it (or its directory). A path inside a file's content is not.
    """

    def __init__(self, root: Path, task: Task) -> None:
        self.root = root
        self._prefixes = sorted(_declared(task), key=len, reverse=True)
        pattern = "|".join(re.escape(prefix) for prefix in self._prefixes)
        self._pattern = re.compile(rf"(?<![\w./-])({pattern})(?![\w-])") if pattern else None

    def real(self, path: str) -> Path:
        """Where a path of the container is."""
        return self.root / path.lstrip("/")

    def translated(self, text: str) -> str:
        """Text of a command with the container's paths replaced."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda match: str(self.real(match[1])), text)

    def matches(self, pattern: str) -> list[str]:
        """The container's paths that match a pattern."""
        found = glob.glob(str(self.real(pattern)))
        return sorted("/" + posixpath.relpath(path, self.root) for path in found)


def _declared(task: Task) -> set[str]:
    files = [item["path"] for item in (*task.get("inputs", []), *task.get("outputs", []))]
    directories = list(task.get("volumes", []))
    for executor in task["executors"]:
        files += [executor[key] for key in ("stdin", "stdout", "stderr") if executor.get(key)]
        directories += [executor["workdir"]] if executor.get("workdir") else []
    parents = {posixpath.dirname(path.split("*")[0].rstrip("/")) for path in files}
    own = {path for path in parents if path not in ("", "/") and not os.path.isdir(path)}
    return {path.rstrip("/") for path in (*files, *directories)} | own
