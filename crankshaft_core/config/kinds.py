"""The model of each kind of backend."""

from __future__ import annotations

from collections.abc import Mapping

from crankshaft_core.config.docker import DockerConfig
from crankshaft_core.config.generic import GenericConfig
from crankshaft_core.config.tes import TESConfig

__all__ = ["KINDS", "BackendConfig"]

BackendConfig = DockerConfig | TESConfig | GenericConfig
"""A backend as configured; `kind` tells which."""

KINDS: Mapping[str, type[DockerConfig | TESConfig | GenericConfig]] = {
    "Docker": DockerConfig,
    "Generic": GenericConfig,
    "TES": TESConfig,
}
"""By the word that is written as `kind`."""
