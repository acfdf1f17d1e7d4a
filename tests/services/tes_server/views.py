"""What a client is shown: views of tasks, and pages of lists."""

from __future__ import annotations

import copy
from typing import Any

from tests.services.tes_server.faults import Faults
from tests.services.tes_server.profiles import Profile
from tests.services.tes_server.store import Store, Task
from tests.services.tes_server.wire import Request

__all__ = ["listing", "shown"]

_OPTIONAL = ("name", "description", "inputs", "outputs", "resources", "volumes", "tags", "logs")


def shown(task: Task, view: str, profile: Profile) -> Task:
    """A task as MINIMAL, BASIC or FULL."""
    if view == "MINIMAL":
        return {key: task[key] for key in ("id", "state", *profile.minimal_extra)}
    full = copy.deepcopy(task)
    if view == "BASIC":
        for log in full.get("logs", []):
            log.pop("system_logs", None)
            for executor in log["logs"]:
                executor.pop("stdout", None)
                executor.pop("stderr", None)
        for item in full.get("inputs", []):
            item.pop("content", None)
    if profile.nulls:
        full = {**dict.fromkeys(_OPTIONAL), **full}
    return full


def listing(store: Store, request: Request, profile: Profile, faults: Faults) -> dict[str, Any]:
    """One page."""
    tasks = [task for task in store.tasks.values() if task["id"] not in faults.hidden]
    honoured = frozenset[str]() if faults.ignore_filters else profile.filters
    tasks = [task for task in tasks if _matches(task, request, honoured)]
    if profile.newest_first:
        tasks.reverse()
    elif profile.paging == "offset":
        tasks.sort(key=lambda task: task["id"])
    page, token = _page(tasks, request, profile)
    if faults.repeat_token:
        token = "again"
    view = request.value("view", "MINIMAL")
    if profile.basic_by_tag and view == "MINIMAL" and request.values("tag_key"):
        view = "BASIC"
    answer: dict[str, Any] = {"tasks": [shown(task, view, profile) for task in page]}
    if token is not None:
        answer["next_page_token"] = token
    return answer


def _matches(task: Task, request: Request, honoured: frozenset[str]) -> bool:
    prefix = request.value("name_prefix")
    if "name_prefix" in honoured and not str(task.get("name", "")).startswith(prefix):
        return False
    state = request.value("state")
    if "state" in honoured and state and task["state"] != state:
        return False
    return "tag_key" not in honoured or all(
        key in task.get("tags", {}) and value in ("", task["tags"][key]) for key, value in _tags(request)
    )


def _tags(request: Request) -> list[tuple[str, str]]:
    """Each `tag_value` belongs to the `tag_key` before it."""
    pairs: list[tuple[str, str]] = []
    for name, value in request.query:
        if name == "tag_key":
            pairs.append((value, ""))
        elif name == "tag_value" and pairs:
            pairs[-1] = (pairs[-1][0], value)
    return pairs


def _page(tasks: list[Task], request: Request, profile: Profile) -> tuple[list[Task], str | None]:
    if profile.paging == "none":
        return tasks, None
    size = min(int(request.value("page_size", "256")), profile.largest_page)
    start = _start(tasks, request.value("page_token"), profile)
    page, rest = tasks[start : start + size], tasks[start + size :]
    if profile.always_token and page:
        return page, page[-1]["id"]
    if not rest:
        return page, profile.last_token
    if profile.paging == "offset":
        return page, str(start + size)
    # Poiesis names the first task of the next page, and then goes on after it
    return page, rest[0]["id"] if profile.paging == "skipping" else page[-1]["id"]


def _start(tasks: list[Task], token: str, profile: Profile) -> int:
    if not token:
        return 0
    if profile.paging == "offset":
        return int(token)
    return next((number + 1 for number, task in enumerate(tasks) if task["id"] == token), len(tasks))
