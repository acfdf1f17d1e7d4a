"""`crankshaft backends`: what is configured, and from which file."""

from __future__ import annotations

from crankshaft_core.cli import exit_codes
from crankshaft_core.cli.arguments import Invocation
from crankshaft_core.cli.shown import settings, without_password
from crankshaft_core.cli.terminal import print_table, say
from crankshaft_core.config import BackendConfig, Config, DockerConfig, TESConfig
from crankshaft_core.errors import ConfigError

__all__ = ["main"]

_HEADINGS = ("NAME", "KIND", "MAX TASKS", "WHERE", "FROM")


def main(invocation: Invocation) -> int:
    """Print the table; the backend used where none is named is marked. Nothing is contacted."""
    config = Config.load(invocation.options.config)
    default = _default(config)
    rows = [_row(config, backend, default) for _, backend in sorted(config.backends.items())]
    print_table(_HEADINGS, rows)
    if default is None:
        say('no default: name a backend with --backend, or write default = "NAME" at the top of the file')
    return exit_codes.OK


def _default(config: Config) -> str | None:
    try:
        return config.choose(None).name
    except ConfigError:  # several and no default is no mistake as long as each use names one
        return None


def _row(config: Config, backend: BackendConfig, default: str | None) -> tuple[str, ...]:
    name = f"{backend.name} (default)" if backend.name == default else backend.name
    return (name, _kind(backend), str(backend.max_tasks), _where(backend), _origin(config, backend))


def _kind(backend: BackendConfig) -> str:
    preset = None if isinstance(backend, DockerConfig | TESConfig) else backend.preset
    return f"{backend.kind} ({preset})" if preset else backend.kind


def _where(backend: BackendConfig) -> str:
    if isinstance(backend, TESConfig):
        return without_password(backend.url)
    if isinstance(backend, DockerConfig):
        return without_password(backend.host) if backend.host else "this machine"
    locale = backend.locale
    if locale.kind == "Local":
        return "this machine"
    host = f"{locale.username}@{locale.host}" if locale.username else str(locale.host)
    return host if locale.kind == "SSH" else f"this machine, else {host}"


def _origin(config: Config, backend: BackendConfig) -> str:
    """The files its values were written in, without lines."""
    if backend.name in config.builtin:
        return "built in"
    paths = (".".join(("backends", backend.name, *path)) for path, _ in settings(backend))
    return ", ".join(dict.fromkeys(config.origins[path].file for path in paths if path in config.origins))
