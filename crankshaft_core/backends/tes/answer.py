"""What a server answered, and what to tell a person when that is a refusal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

__all__ = ["Answer", "as_list", "as_table", "as_text", "login_refusal", "refusal"]

_WORDS_LENGTH = 300
_HINTS: Mapping[int, str] = {
    301: "The server has moved: write its new address as `url`",
    302: "The server has moved: write its new address as `url`",
    307: "The server has moved: write its new address as `url`",
    308: "The server has moved: write its new address as `url`",
    400: "The server does not take the task as it is; `crankshaft script` shows what is sent",
    403: "The login is known and may not do this: ask whoever runs the server",
    404: "Is `url` the address of a TES server?",
    405: "Is `url` the address of a TES server?",
    413: "The task is too large to be sent: set `storage`, so that files do not travel inside it",
    422: "The server does not take the task as it is; `crankshaft script` shows what is sent",
    501: "The server does not implement this part of TES",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `body` is its JSON, None when it holds none; `retry_after` is in seconds."""

    method: str
    url: str
    status: int
    text: str = ""
    body: object = None
    retry_after: float | None = None

    @property
    def ok(self) -> bool:
        """The server did what was asked."""
        return 200 <= self.status < 300


def refusal(answer: Answer) -> str:
    """Method, URL, status, the server's words, and a hint: one line."""
    parts = [f"{answer.method} {answer.url}: {answer.status}", _words(answer)]
    line = " ".join(filter(None, parts))
    hint = _HINTS.get(answer.status)
    return f"{line}. {hint}" if hint else line


def login_refusal(answer: Answer) -> str:
    """The same of a login that is not accepted, the server's words first and without the hint."""
    return ", ".join(filter(None, (str(answer.status), _words(answer)))) + f" ({answer.method} {answer.url})"


def as_table(value: object) -> Mapping[str, object]:
    """The JSON object, or an empty one: servers leave out, null and mistype whatever they like."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """The JSON array, or an empty one."""
    return cast("list[object]", value) if isinstance(value, list) else []


def as_text(value: object) -> str:
    """The JSON string, or an empty one."""
    return value if isinstance(value, str) else ""


def _words(answer: Answer) -> str:
    """What the server says, whichever of the usual shapes its error has."""
    table = as_table(answer.body)
    said = [
        _flat(table[key])
        for key in ("message", "error", "detail", "details", "messages", "title", "msg", "errors")
        if table.get(key)
    ]
    text = ": ".join(dict.fromkeys(said)) if said else re.sub(r"<[^>]*>", " ", answer.text)
    return " ".join(text.split())[:_WORDS_LENGTH]


def _flat(value: object) -> str:
    if isinstance(value, dict):
        return "; ".join(_flat(item) for item in as_table(cast("object", value)).values())
    if isinstance(value, list):
        return "; ".join(_flat(item) for item in as_list(cast("object", value)))
    return str(value)
