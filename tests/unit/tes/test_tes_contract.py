"""The judge itself: what the OpenAPI documents have to say of requests and answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.services.tes_server.contract import BASE, Contract
from tests.services.tes_server.wire import Request, Response

TASK = {"executors": [{"image": "i", "command": ["true"]}]}


def create(document: object) -> Request:
    return Request("POST", f"{BASE}/tasks", (), {"content-type": "application/json"}, json.dumps(document).encode())


def get(path: str, *query: tuple[str, str]) -> Request:
    return Request("GET", BASE + path, query, {}, b"")


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_plain_task_is_legal(version: str) -> None:
    assert Contract(version).request_problems(create(TASK), "/tasks") == []


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"executors": [{"image": "i"}]},
        {"executors": [{"image": "i", "command": "true"}]},
        {**TASK, "tags": {"a": 1}},
        {**TASK, "resources": {"cpu_cores": 1.5}},
        {**TASK, "nonsense": 1},
        {"executors": [{"image": "i", "command": ["true"], "work_dir": "/"}]},
        {**TASK, "inputs": [{"path": "/a", "type": "LINK"}]},
    ],
)
def test_a_wrong_task_is_a_violation(document: dict[str, Any]) -> None:
    assert Contract("1.1").request_problems(create(document), "/tasks")


def test_what_only_1_1_knows_is_a_violation_of_1_0() -> None:
    document = {**TASK, "resources": {"backend_parameters": {"a": "b"}}}
    assert Contract("1.1").request_problems(create(document), "/tasks") == []
    assert Contract("1.0").request_problems(create(document), "/tasks")


@pytest.mark.parametrize(
    ("query", "legal"),
    [
        ([("view", "MINIMAL"), ("page_size", "2047")], True),
        ([("tag_key", "a"), ("tag_value", "b"), ("tag_key", "c")], True),
        ([("state", "RUNNING")], True),
        ([("view", "TINY")], False),
        ([("page_size", "many")], False),
        ([("tags", "a")], False),
        ([("state", "DEAD")], False),
    ],
)
def test_queries(query: list[tuple[str, str]], legal: bool) -> None:
    assert (Contract("1.1").request_problems(get("/tasks", *query), "/tasks") == []) is legal


@pytest.mark.parametrize(
    ("body", "legal"),
    [
        ({"tasks": [{"id": "1", "state": "QUEUED"}]}, True),
        ({"tasks": [], "next_page_token": None}, False),
        ({"tasks": [{"id": 1}]}, False),
        ({}, False),
    ],
)
def test_answers(body: object, legal: bool) -> None:
    problems = Contract("1.1").answer_problems(get("/tasks"), "/tasks", Response(body=body))
    assert (problems == []) is legal
