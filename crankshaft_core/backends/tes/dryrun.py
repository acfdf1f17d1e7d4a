"""A document as a person reads it: without secrets, and without pages of content."""

from __future__ import annotations

import json

from crankshaft_core.backends.tes.answer import as_list, as_table
from crankshaft_core.backends.tes.document import Document

__all__ = ["readable"]

_SHOWN = 200
"""Characters of an input's content."""


def readable(document: Document) -> str:
    """Indented JSON. Values of variables are hidden, since they may be secrets."""
    shown = dict(document)
    shown["executors"] = [_without_values(dict(as_table(item))) for item in as_list(document.get("executors"))]
    if "inputs" in document:
        shown["inputs"] = [_shortened(dict(as_table(item))) for item in as_list(document.get("inputs"))]
    return json.dumps(shown, indent=2, ensure_ascii=False)


def _without_values(executor: Document) -> Document:
    env = as_table(executor.get("env"))
    return {**executor, "env": dict.fromkeys(env, "…")} if env else executor


def _shortened(item: Document) -> Document:
    content = item.get("content")
    if not isinstance(content, str) or len(content) <= _SHOWN:
        return item
    return {**item, "content": f"{content[:_SHOWN]}… ({len(content)} characters)"}
