"""pydantic's findings in the words of somebody who edits a configuration file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import ErrorDetails

from crankshaft_core.config.layout import Path, layout
from crankshaft_core.config.presets import preset_names
from crankshaft_core.config.spelling import did_you_mean, unknown_key
from crankshaft_core.task import Verdict

__all__ = ["message"]

_LONGEST = 60


def message(error: ErrorDetails, *, kind: str, path: Path) -> str:
    """What is wrong with the value at `path` of a backend of this kind. A secret is never repeated."""
    named = tuple(part for part in path if not part.isdigit())
    if error["type"] == "missing":
        return _missing(named)
    if error["type"] == "extra_forbidden":
        return unknown_key(kind, named)
    place = layout(kind).get(named)
    shown = "this" if place is not None and place.secret else _shown(error["input"])
    word = _WORDS.get(error["type"])
    return word(shown, error.get("ctx", {})) if word else f"{shown}: {error['msg']}"


def _missing(path: Path) -> str:
    if path == ("submit",):
        presets = ", ".join(preset_names())
        return f"missing; write the command that starts a job, or name a preset ({presets})"
    return "missing; write the server's address" if path == ("url",) else "missing"


def _shown(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _choice(shown: str, context: Mapping[str, Any]) -> str:
    """`expected` is `'a', 'b' or 'c'` in pydantic's words."""
    words = str(context["expected"]).replace(" or ", ", ").replace("True", "true").replace("False", "false")
    known = [word.strip("' ") for word in words.split(", ")]
    return f"{shown} is not a choice{did_you_mean(shown.strip(chr(39)), known)}"


def _verdict(shown: str, _: Mapping[str, Any]) -> str:
    return f"{shown} is not a verdict{did_you_mean(shown.strip(chr(39)), [verdict.value for verdict in Verdict])}"


def _tag(_: str, context: Mapping[str, Any]) -> str:
    known = [word.strip("' ") for word in str(context["expected_tags"]).split(", ")]
    return f"unknown type {context['tag']!r}{did_you_mean(str(context['tag']), known)}"


def _not_text(shown: str, _: Mapping[str, Any]) -> str:
    return f"{shown} is not text" + ("" if shown[:1] in "[{" else "; put it in quotes")


def _not_a(what: str) -> Callable[[str, Mapping[str, Any]], str]:
    return lambda shown, _: f"{shown} is not {what}"


def _bound(words: str, key: str) -> Callable[[str, Mapping[str, Any]], str]:
    return lambda shown, context: f"must be {words} {context[key]:g}, not {shown}"


_WORDS: Mapping[str, Callable[[str, Mapping[str, Any]], str]] = {
    "value_error": lambda _, context: str(context["error"]),
    "int_parsing": _not_a("a whole number"),
    "int_type": _not_a("a whole number"),
    "int_from_float": _not_a("a whole number"),
    "float_parsing": _not_a("a number"),
    "float_type": _not_a("a number"),
    "finite_number": _not_a("a finite number"),
    "bool_parsing": lambda shown, _: f"{shown} is neither true nor false",
    "bool_type": lambda shown, _: f"{shown} is neither true nor false",
    "string_type": _not_text,
    "string_too_short": lambda _shown, _: "must not be empty",
    "greater_than": _bound("more than", "gt"),
    "greater_than_equal": _bound("at least", "ge"),
    "less_than": _bound("less than", "lt"),
    "less_than_equal": _bound("at most", "le"),
    "literal_error": _choice,
    "enum": _verdict,
    "union_tag_invalid": _tag,
    "union_tag_not_found": lambda _shown, _: "type is missing; known: basic, bearer, header",
    "model_type": _not_a("a table; write { … }"),
    "model_attributes_type": _not_a("a table; write { … }"),
    "dict_type": _not_a("a table; write { … }"),
    "mapping_type": _not_a("a table; write { … }"),
    "tuple_type": _not_a("a list; write [ … ]"),
    "list_type": _not_a("a list; write [ … ]"),
}
