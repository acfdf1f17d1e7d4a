"""Where in the configuration stands what a system complains of."""

from __future__ import annotations

import re
from collections.abc import Iterator

from crankshaft_core.config import BackendConfig, Config

__all__ = ["located"]


def located(words: str, config: Config, backend: BackendConfig) -> str:
    """`invalid partition: shrot` with `(Crankshaft.toml:7)` behind the word that was written there.

    Values that a task brings itself stand in no file of ours, and short ones may be there by chance.
    """
    for key, value in _written(backend):
        origin = config.origins.get(f"backends.{backend.name}.{key}")
        found = re.search(rf"(?<![\w./-]){re.escape(value)}(?![\w./-])[\"']?", words) if len(value) > 1 else None
        if found and origin is not None and origin.line is not None:
            return f"{words[: found.end()]} ({origin}){words[found.end() :]}"
    return words


def _written(backend: BackendConfig) -> Iterator[tuple[str, str]]:
    """Names a person may misspell: key path and value."""
    for key, value in (("queue", backend.queue), ("account", backend.account)):
        if value:
            yield key, value
    for name, value in backend.attributes.items():
        yield f"attributes.{name}", value
    for queue in getattr(backend, "queues", ()):
        yield "queues", queue.name
