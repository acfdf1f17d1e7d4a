"""Where in the configuration stands what a system complains of."""

from __future__ import annotations

import re
from collections.abc import Iterator

from crankshaft_core.config import BackendConfig, Config

__all__ = ["located"]


def located(words: str, config: Config, backend: BackendConfig) -> str:
    """`invalid partition: shrot` with `(Crankshaft.toml:7)` behind the word that was written there.

    Slurm says "Invalid qos" and not which: then the value comes along. Values that a task brings itself stand in no
    file of ours, and short ones may be there by chance.
    """
    written = [(key, value, origin) for key, value in _written(backend) if (origin := _origin(config, backend, key))]
    for _, value, origin in written:
        found = re.search(rf"(?<![\w./-]){re.escape(value)}(?![\w/-]|\.\w)[\"']?", words) if len(value) > 1 else None
        if found:
            return f"{words[: found.end()]} ({origin}){words[found.end() :]}"
    for key, value, origin in written:
        name = key.rpartition(".")[2]
        if re.search(rf"(?i)\binvalid {re.escape(name)}\b", words):
            return f"{words.rstrip('.')} ({name} = {value!r}, {origin})"
    return words


def _origin(config: Config, backend: BackendConfig, key: str) -> str | None:
    """File and line; None for what stands in none, such as a preset."""
    origin = config.origins.get(f"backends.{backend.name}.{key}")
    return None if origin is None or origin.line is None else str(origin)


def _written(backend: BackendConfig) -> Iterator[tuple[str, str]]:
    """Names a person may misspell: key path and value."""
    for key, value in (("queue", backend.queue), ("account", backend.account)):
        if value:
            yield key, value
    for name, value in backend.attributes.items():
        yield f"attributes.{name}", value
    for queue in getattr(backend, "queues", ()):
        yield "queues", queue.name
