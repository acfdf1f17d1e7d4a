"""A task's inputs from their URLs, its outputs to theirs, through fsspec. Blocking."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fsspec import core

from tests.services.tes_server.sandbox import Sandbox
from tests.services.tes_server.store import Task

__all__ = ["bring_inputs", "keep_outputs"]


def bring_inputs(task: Task, sandbox: Sandbox) -> None:
    """Raises OSError and whatever else a file system raises."""
    for volume in task.get("volumes", []):
        sandbox.real(volume).mkdir(parents=True, exist_ok=True)
    for item in task.get("inputs", []):
        target = sandbox.real(item["path"])
        target.parent.mkdir(parents=True, exist_ok=True)
        if item.get("content"):
            target.write_text(item["content"], encoding="utf-8", newline="")
        elif not item.get("url"):
            target.write_bytes(b"")
        else:
            filesystem, path = _filesystem(item["url"])
            if item.get("type") == "DIRECTORY":
                filesystem.get(path.rstrip("/") + "/", f"{target}/", recursive=True)
            else:
                filesystem.get_file(path, str(target))
    for item in task.get("outputs", []):
        sandbox.real(item["path"].split("*")[0]).parent.mkdir(parents=True, exist_ok=True)


def keep_outputs(task: Task, sandbox: Sandbox) -> list[dict[str, str]]:
    """Copy every output to its URL; return the log of them. Raises FileNotFoundError for one that is not there."""
    return [entry for item in task.get("outputs", []) for entry in _keep(item, sandbox)]


def _keep(item: Mapping[str, Any], sandbox: Sandbox) -> list[dict[str, str]]:
    path, url = item["path"], item["url"]
    if any(sign in path for sign in "*?["):
        prefix = item["path_prefix"]
        found = sandbox.matches(path)
        return [entry for match in found for entry in _upload(match, url + match.removeprefix(prefix), sandbox)]
    if not sandbox.real(path).exists():
        raise FileNotFoundError(f"output {path} is not there")
    return _upload(path, url, sandbox)


def _upload(path: str, url: str, sandbox: Sandbox) -> list[dict[str, str]]:
    source = sandbox.real(path)
    if source.is_dir():
        files = sorted(file for file in source.rglob("*") if file.is_file())
        if not files:
            _filesystem(url)[0].makedirs(_filesystem(url)[1], exist_ok=True)
        names = [(file, file.relative_to(source).as_posix()) for file in files]
        return [_upload_file(file, f"{path}/{name}", f"{url.rstrip('/')}/{name}") for file, name in names]
    return [_upload_file(source, path, url)]


def _upload_file(source: Path, path: str, url: str) -> dict[str, str]:
    filesystem, target = _filesystem(url)
    filesystem.makedirs(posixpath.dirname(target), exist_ok=True)
    filesystem.put_file(str(source), target)
    return {"path": path, "url": url, "size_bytes": str(source.stat().st_size)}


def _filesystem(url: str) -> tuple[Any, str]:
    filesystem, path = core.url_to_fs(url)
    return filesystem, str(path)
