"""The OpenAPI documents as judges: of every request that is sent here, and of every answer this server gives."""

from __future__ import annotations

import copy
import functools
import json
from pathlib import Path
from typing import Any

import yaml
from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse
from werkzeug.datastructures import MultiDict

from tests.services.tes_server.wire import Request, Response

__all__ = ["BASE", "Contract"]

BASE = "/ga4gh/tes/v1"


class Contract:
    """One version of TES. Stricter than its document in one point: what the document does not know is a violation."""

    def __init__(self, version: str) -> None:
        self._document = _document(version)
        self._requests = _for_requests(version)
        self._answers = _for_answers(version)

    def request_problems(self, request: Request, path: str) -> list[str]:
        """What is wrong with a request to `path` (below the base)."""
        problems = [
            f"query parameter {name!r} is unknown" for name, _ in request.query if name not in self._names(path)
        ]
        if request.method == "POST" and path == "/tasks":
            problems += _unknown_fields(self._document, "tesTask", _parsed(request.body), "task")
        try:
            self._requests.validate_request(_as_mock(request, path))
        except OpenAPIError as error:
            problems.append(_words(error))
        return problems

    def answer_problems(self, request: Request, path: str, response: Response) -> list[str]:
        """What is wrong with an answer; refusals are not described by the documents."""
        if response.status != 200 or not response.content():
            return []
        mock = MockResponse(response.content(), status_code=response.status, content_type="application/json")
        try:
            self._answers.validate_response(_as_mock(request, path), mock)
        except OpenAPIError as error:
            return [_words(error)]
        return []

    def _names(self, path: str) -> set[str]:
        template = path if path in self._document["paths"] else "/tasks/{id}"
        if path.endswith(":cancel"):
            return set()
        parameters = self._document["paths"][template]["get"].get("parameters", [])
        return {item.get("name", "view") for item in parameters}


@functools.cache
def _document(version: str) -> dict[str, Any]:
    path = Path(__file__).with_name(f"tes-v{version}.bundled.yaml")
    loaded: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


@functools.cache
def _for_requests(version: str) -> OpenAPI:
    """Read-only fields are those of answers; but `state` is read-only by its schema and a filter all the same."""
    document = copy.deepcopy(_document(version))
    document["components"]["schemas"]["tesState"].pop("readOnly", None)
    document["components"]["schemas"]["tesState"].pop("default", None)
    return OpenAPI.from_dict(document)


@functools.cache
def _for_answers(version: str) -> OpenAPI:
    """The MINIMAL view is "ONLY the fields id and state", although the schema requires executors."""
    document = copy.deepcopy(_document(version))
    document["components"]["schemas"]["tesTask"].pop("required")
    return OpenAPI.from_dict(document)


def _as_mock(request: Request, path: str) -> MockRequest:
    return MockRequest(
        "http://server",
        request.method.lower(),
        BASE + path,
        args=MultiDict(request.query),
        data=request.body or None,
        content_type="application/json",
    )


def _unknown_fields(document: dict[str, Any], schema: str, value: object, where: str) -> list[str]:
    """Fields that the document does not describe, wherever they are in the value."""
    known = document["components"]["schemas"][schema].get("properties")
    if not isinstance(value, dict) or known is None:
        return []
    problems = [f"{where}.{name} is unknown" for name in value if name not in known]
    for name, described in known.items():
        items = value.get(name) if described.get("type") == "array" else [value.get(name)]
        target = described.get("items", described).get("$ref", "").rpartition("/")[2]
        if target and isinstance(items, list):
            problems += [text for item in items for text in _unknown_fields(document, target, item, f"{where}.{name}")]
    return problems


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _words(error: BaseException) -> str:
    cause = error.__cause__
    return f"{error}" if cause is None else f"{error} {cause}"
