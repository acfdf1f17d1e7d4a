"""`crankshaft login`: the connection to a backend, opened by a person, for every run that follows."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from crankshaft_core.cli import exit_codes
from crankshaft_core.cli.arguments import Invocation
from crankshaft_core.cli.terminal import say
from crankshaft_core.config import BackendConfig, Config, GenericConfig
from crankshaft_core.drivers.ssh import SSHSettings, login_command, logout_command, write_pin
from crankshaft_core.errors import ConfigError

__all__ = ["main"]


def main(invocation: Invocation) -> int:
    """Run ssh(1), which asks what the other side wants to know, and leave it in the background; NOT_OK if it fails."""
    backend = Config.load(invocation.options.config).choose(invocation.options.name)
    settings = _settings(backend)
    if invocation.options.end:
        return _end(backend.name, settings)
    with tempfile.TemporaryDirectory(prefix="crankshaft-") as directory:
        command = login_command(settings, pin_file=write_pin(settings, Path(directory)))
        code = _ran(command)
    if code:
        say(f"{backend.name}: no connection (ssh: exit code {code})")
        return exit_codes.NOT_OK
    name = backend.name
    say(f"{name}: connected; runs here use it until `crankshaft login --end {name}`, or until it is idle for 12 hours")
    return exit_codes.OK


def _end(name: str, settings: SSHSettings) -> int:
    if _ran(logout_command(settings), quiet=True):
        say(f"{name}: no connection is open")
        return exit_codes.NOT_OK
    say(f"{name}: closed")
    return exit_codes.OK


def _settings(backend: BackendConfig) -> SSHSettings:
    if not isinstance(backend, GenericConfig) or backend.locale.kind == "Local":
        raise ConfigError(
            f'{backend.name}: there is nothing to log in to; only a backend with locale kind = "SSH" has that'
        )
    if backend.locale.client != "openssh":
        raise ConfigError(
            f'{backend.name}: client = "{backend.locale.client}" cannot use a connection that somebody else has '
            'opened; set client = "openssh" in its locale'
        )
    return SSHSettings.of(backend.locale, name=backend.name)


def _ran(command: list[str], *, quiet: bool = False) -> int:
    try:
        return subprocess.run(command, check=False, stderr=subprocess.DEVNULL if quiet else None).returncode
    except FileNotFoundError as error:
        raise ConfigError("there is no ssh on the PATH (Debian: apt-get install openssh-client)") from error
