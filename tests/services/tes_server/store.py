"""The tasks a server knows, kept over a restart if it is given a file."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["TERMINAL", "Store", "Task", "now"]

Task = dict[str, Any]
TERMINAL = frozenset({"COMPLETE", "EXECUTOR_ERROR", "SYSTEM_ERROR", "CANCELED", "PREEMPTED"})


class Store:
    """Tasks in the order of their creation. Every change is appended to the file at once."""

    def __init__(self, path: Path | None = None, *, ids: str = "hex") -> None:
        self.tasks: dict[str, Task] = {}
        self._ids = ids
        self._file = None
        if path is not None:
            if path.exists():
                for line in path.read_text(encoding="utf-8").splitlines():
                    task = json.loads(line)
                    self.tasks[task["id"]] = task
            self._file = path.open("a", encoding="utf-8")

    def add(self, document: Task, state: str) -> Task:
        """A new task with an id of the server's own."""
        task: Task = {**document, "id": self._new_id(), "state": state, "creation_time": now(), "logs": []}
        self.tasks[task["id"]] = task
        self.save(task)
        return task

    def save(self, task: Task) -> None:
        """Keep a changed task."""
        if self._file is not None:
            self._file.write(json.dumps(task) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _new_id(self) -> str:
        if self._ids == "counted":
            return f"{len(self.tasks):024x}"
        return str(uuid.uuid4()) if self._ids == "uuid" else uuid.uuid4().hex[:20]


def now() -> str:
    """RFC 3339."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
