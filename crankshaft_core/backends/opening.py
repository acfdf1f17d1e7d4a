"""From a backend's configuration to the backend."""

from __future__ import annotations

from typing import Protocol

from crankshaft_core.backends.base import Backend
from crankshaft_core.config import BackendConfig, DockerConfig, TESConfig

__all__ = ["OpenBackend", "open_backend"]


class OpenBackend(Protocol):
    """Makes a backend from its configuration; cheap, and without any call to the system."""

    def __call__(self, config: BackendConfig, *, run_id: str) -> Backend:
        """The backend, for the run of that id. Raises ConfigError where the configuration cannot work."""
        ...


def open_backend(config: BackendConfig, *, run_id: str) -> Backend:
    """The backend of the configured kind. Each kind's SDK is imported only when it is used."""
    if isinstance(config, DockerConfig):
        from crankshaft_core.backends.docker import DockerBackend

        return DockerBackend(config, run_id=run_id)
    if isinstance(config, TESConfig):
        from crankshaft_core.backends.tes import TESBackend

        return TESBackend(config, run_id=run_id)
    from crankshaft_core.backends.generic import GenericBackend

    return GenericBackend(config, run_id=run_id)
