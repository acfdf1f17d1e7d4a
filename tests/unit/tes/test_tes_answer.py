"""What a person is told when a server refuses."""

from __future__ import annotations

import pytest

from crankshaft_core.backends.tes.answer import Answer, refusal

URL = "http://server/tasks"


@pytest.mark.parametrize(
    ("body", "text", "words"),
    [
        ({"message": "no such zone"}, "", "no such zone"),
        ({"error": "bad_request", "message": "task is not cancelable"}, "", "task is not cancelable: bad_request"),
        (
            {"error": "invalid task message: Task.Inputs[0].Url: required\n"},
            "",
            "invalid task message: Task.Inputs[0].Url: required",
        ),
        ({"detail": [{"loc": ["body", "outputs"], "msg": "field required"}]}, "", "body; outputs; field required"),
        ({"messages": ["Field 'executors' must not be null"]}, "", "Field 'executors' must not be null"),
        (None, "<html><h1>Not\n Found</h1></html>", "Not Found"),
        (None, "Invalid ID", "Invalid ID"),
        ([], "", ""),
        (None, "", ""),
    ],
)
def test_the_servers_words_are_found_in_every_shape(body: object, text: str, words: str) -> None:
    line = refusal(Answer("POST", URL, 418, text=text, body=body))
    assert line == f"POST {URL}: 418 {words}".strip()


def test_a_hint_says_what_to_do() -> None:
    assert refusal(Answer("POST", URL, 413)).endswith(
        "413. The task is too large to be sent: set `storage`, so that files do not travel inside it"
    )


def test_a_page_of_words_is_cut() -> None:
    assert len(refusal(Answer("GET", URL, 418, text="x" * 5000))) < 400
