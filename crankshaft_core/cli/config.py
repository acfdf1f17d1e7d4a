"""`crankshaft config`: all sources merged, as TOML, secrets hidden."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from crankshaft_core.cli import exit_codes
from crankshaft_core.cli.arguments import Invocation
from crankshaft_core.cli.shown import settings
from crankshaft_core.cli.terminal import say
from crankshaft_core.config import BackendConfig, Config

__all__ = ["main", "toml_of"]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_DURATIONS = frozenset({"time", "max_time", "grace", "kill_after", "cancel_timeout", "lost_after"})
"""Fields that hold seconds, and are written with a unit."""


def main(invocation: Invocation) -> int:
    """Print it; what can be loaded was checked, and nothing was contacted or run."""
    config = Config.load(invocation.options.config)
    for warning in config.warnings:
        say(warning)
    sys.stdout.write(toml_of(config, with_origins=invocation.options.origin))
    return exit_codes.OK


def toml_of(config: Config, *, with_origins: bool) -> str:
    """One value a line; with its file and line behind it if `with_origins`."""
    lines: list[tuple[str, str]] = []
    if config.default is not None:
        lines += [(f"default = {_value(config.default)}", str(config.origins.get("default", ""))), ("", "")]
    for name, backend in sorted(config.backends.items()):
        lines += [("[[backends]]", ""), *_lines(config, name, backend), ("", "")]
    width = min(80, max(len(line) for line, _ in lines))
    texts = (f"{line:{width}}  # {origin}" if with_origins and origin else line for line, origin in lines)
    return "\n".join(texts).rstrip("\n") + "\n"


def _lines(config: Config, name: str, backend: BackendConfig) -> Iterator[tuple[str, str]]:
    for path, value in sorted(settings(backend), key=_rank):
        key = ".".join(part if _BARE_KEY.fullmatch(part) else _text(part) for part in path)
        origin = config.origins.get(".".join(("backends", name, *path)), "implied")
        yield f"{key} = {_value(value, path[-1])}", "built in" if name in config.builtin else str(origin)


def _rank(setting: tuple[Sequence[str], object]) -> int:
    """What tells which backend it is comes first; the rest stays in the order of the models."""
    first = ("name", "kind", "preset")
    return first.index(setting[0][0]) if setting[0][0] in first else len(first)


def _value(value: object, key: str = "") -> str:
    """TOML for what stands under `key`. Tables are written inline, which is where they stand: in lists."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float) and key in _DURATIONS:
        return _text(f"{value:.6f}".rstrip("0").rstrip(".") + "s")
    if isinstance(value, Mapping):
        entries = cast("Mapping[str, object]", value).items()
        return "{ " + ", ".join(f"{_text(name)} = {_value(item, name)}" for name, item in entries) + " }"
    if isinstance(value, Sequence):
        return "[" + ", ".join(_value(item) for item in cast("Sequence[object]", value)) + "]"
    return json.dumps(value)


def _text(text: str) -> str:
    """A basic string: JSON's escapes are TOML's, which also wants DEL escaped (TOML 1.0, String)."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
