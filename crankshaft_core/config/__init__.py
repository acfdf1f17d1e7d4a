"""Crankshaft.toml: read from its sources, merged, checked, as values."""

from crankshaft_core.config.common import CommonConfig, Retry
from crankshaft_core.config.docker import DockerConfig, Mount
from crankshaft_core.config.environment import Environment
from crankshaft_core.config.generic import GenericConfig, Locale, Queue
from crankshaft_core.config.models import BackendConfig, Config, Origin
from crankshaft_core.config.placeholders import memory_mistake
from crankshaft_core.config.reference import reference
from crankshaft_core.config.schema import json_schema
from crankshaft_core.config.secrets import Secret
from crankshaft_core.config.tes import Http, Storage, TESConfig

__all__ = [
    "BackendConfig",
    "CommonConfig",
    "Config",
    "DockerConfig",
    "Environment",
    "GenericConfig",
    "Http",
    "Locale",
    "Mount",
    "Origin",
    "Queue",
    "Retry",
    "Secret",
    "Storage",
    "TESConfig",
    "json_schema",
    "memory_mistake",
    "reference",
]
