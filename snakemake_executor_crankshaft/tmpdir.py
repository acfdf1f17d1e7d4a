"""The directory for temporary files, `{resources.tmpdir}`: it is chosen where a job runs."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

__all__ = ["SYSTEM", "Tmpdir", "tmpdir_of"]

SYSTEM = "system_tmpdir"
"""As Snakemake's default resources name the one that the machine has."""


@dataclass(frozen=True, slots=True)
class Tmpdir:
    """Where temporary files go; `path` None: wherever the machine has them."""

    path: str | None = None


def tmpdir_of(job: Any) -> Tmpdir | None:
    """That of a job; None if it has no such resource. Raises ValueError for one that Python has to compute there."""
    written = job.rule.resources.get("tmpdir")
    if written is None or (_is_plain(written) and _value(written) is None):
        return None
    if _is_plain(written):
        return Tmpdir(str(_value(written)))
    text = getattr(written, "raw", None) or _default_text(written, job.rule.workflow)
    if text == SYSTEM:
        return Tmpdir()
    path = _literal(text or "")
    if path is None:
        raise ValueError(f"its tmpdir is computed where it runs: {text or 'a function'}")
    return Tmpdir(path)


def _literal(text: str) -> str | None:
    try:
        value = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return None
    return value if isinstance(value, str) else None


def _is_plain(written: Any) -> bool:
    """A value; the other kind is an expression or a function. Old Snakemakes have no class for them."""
    return not written.is_evaluable() if hasattr(written, "is_evaluable") else not callable(written)


def _value(written: Any) -> Any:
    return getattr(written, "value", written)


def _default_text(written: Any, workflow: Any) -> str | None:
    """The expression in `--default-resources`, where the resource comes from there."""
    default = workflow.resource_settings.default_resources
    if default is None or getattr(default, "parsed", {}).get("tmpdir") is not written:
        return None
    return next((text.partition("=")[2] for text in default.args if text.startswith("tmpdir=")), None)
