"""The five operations of TES, as one profile's server answers them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from tests.services.tes_server.contract import Contract
from tests.services.tes_server.faults import Faults
from tests.services.tes_server.profiles import Profile
from tests.services.tes_server.runner import Runner
from tests.services.tes_server.store import TERMINAL, Store
from tests.services.tes_server.views import listing, shown
from tests.services.tes_server.wire import Request, Response

__all__ = ["Api"]


class Api:
    """Answers requests below the base path."""

    def __init__(self, store: Store, runner: Runner, profile: Profile, faults: Faults, contract: Contract) -> None:
        self._store = store
        self._runner = runner
        self._profile = profile
        self._faults = faults
        self._contract = contract

    def answer(self, request: Request, path: str) -> Response:
        """The answer to a request; `path` is what follows the base."""
        if request.method == "POST" and path == "/tasks":
            return self._create(request)
        if request.method == "POST" and path.endswith(":cancel"):
            return self._cancel(path.removeprefix("/tasks/").removesuffix(":cancel"))
        if request.method != "GET":
            return self._refusal(405, "method not allowed")
        if path == "/service-info":
            return Response(body=self._service_info())
        if path == "/tasks":
            return self._list(request)
        return self._get(request, path.removeprefix("/tasks/"))

    def _create(self, request: Request) -> Response:
        document = json.loads(request.body)
        problem = self._problem(document, request)
        if problem is not None:
            return self._refusal(400, problem)
        task = self._store.add(document, self._profile.first_state)
        self._runner.start(task)
        return Response(body={"id": task["id"]})

    def _list(self, request: Request) -> Response:
        size = int(request.value("page_size", "256"))
        if self._profile.refuses_large_page and not 0 < size <= self._profile.largest_page:
            return self._refusal(400, "page_size must be greater than 0 and less than 2048")
        if self._faults.largest_page is not None and size > self._faults.largest_page:
            return self._refusal(500, "out of memory")
        return Response(body=listing(self._store, request, self._profile, self._faults))

    def _get(self, request: Request, task_id: str) -> Response:
        task = self._store.tasks.get(task_id)
        if task is None:
            return self._refusal(self._profile.unknown_id, f"task {task_id} not found")
        return Response(body=shown(task, request.value("view", "MINIMAL"), self._profile))

    def _cancel(self, task_id: str) -> Response:
        task = self._store.tasks.get(task_id)
        done = Response(body=None if self._profile.empty_cancel_body else {})
        if task is None:
            unknown = self._profile.cancel_of_unknown
            return done if unknown == 200 else self._refusal(unknown, f"task {task_id} not found")
        if task["state"] in self._profile.cancel_overwrites:
            task["state"] = "CANCELED"
        elif task["state"] in TERMINAL:
            refused = self._profile.cancel_of_ended
            return done if refused == 200 else self._refusal(refused, "task is not in a cancelable state")
        else:
            self._runner.cancel(task)
        return done

    def _problem(self, document: dict[str, Any], request: Request) -> str | None:
        """Why this server refuses the task: what several servers check, and what only this one does."""
        if self._profile.refuses_unknown_fields:
            unknown = [text for text in self._contract.request_problems(request, "/tasks") if "unknown" in text]
            if unknown:
                return f"JSON parse error: {unknown[0]}"
        paths = [item["path"] for key in ("inputs", "outputs") for item in document.get(key, [])]
        paths += [item[key] for item in document["executors"] for key in ("stdin", "stdout", "stderr") if key in item]
        relative = [path for path in paths if not path.startswith("/")]
        if relative:
            return f"{relative[0]} must be an absolute path"
        checks: tuple[Callable[[dict[str, Any]], str | None], ...] = (self._input_problem, self._output_problem)
        return next((text for check in checks if (text := check(document)) is not None), None)

    def _input_problem(self, document: dict[str, Any]) -> str | None:
        for item in document.get("inputs", []):
            if item.get("url") and item.get("content"):
                return f"input {item['path']}: url and content cannot be both set"
            empty = not item.get("url") and not item.get("content")
            if empty and ("content" not in item or self._profile.refuses_empty_content):
                return f"input {item['path']}: url required, but empty"
            if item.get("url") and not self._takes(item["url"]):
                return f"input URL {item['url']} uses an unsupported scheme"
        return None

    def _output_problem(self, document: dict[str, Any]) -> str | None:
        for item in document.get("outputs", []):
            if self._profile.needs_output_type and "type" not in item:
                return "outputs.type: field required"
            if not self._takes(item["url"]):
                return f"output URL {item['url']} uses an unsupported scheme"
            prefixed = "path_prefix" in item
            if prefixed and self._profile.wildcards_are_directories and item["type"] != "DIRECTORY":
                return "output has a path prefix specified but the output type is not `DIRECTORY`"
        return None

    def _takes(self, url: str) -> bool:
        return self._profile.schemes is None or urlsplit(url).scheme in self._profile.schemes

    def _service_info(self) -> dict[str, Any]:
        info: dict[str, Any] = {
            "id": f"org.example.{self._profile.name}",
            "name": self._profile.name,
            "type": {
                "group": "org.ga4gh",
                "artifact": "tes",
                "version": self._profile.claimed or f"{self._profile.version}.0",
            },
            "organization": {"name": "tests", "url": "https://example.org"},
            "version": "7.2",
        }
        if self._profile.storage:
            info["storage"] = list(self._profile.storage)
        if self._profile.version == "1.1" and self._profile.parameters:
            info["tesResources_backend_parameters"] = list(self._profile.parameters)
        return info

    def _refusal(self, status: int, message: str) -> Response:
        match self._profile.error_body:
            case "error":
                return Response(status, {"error": message})
            case "text":
                return Response(status, message.encode(), {"Content-Type": "text/plain"})
            case "problem":
                return Response(status, {"timestamp": 1, "status": status, "error": "Refused", "message": message})
            case "message":
                return Response(status, {"error": "bad_request", "message": message})
