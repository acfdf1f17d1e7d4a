"""The configuration as values: `Config`, and one model for each kind of backend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from crankshaft_core.config.docker import DockerConfig
from crankshaft_core.config.generic import GenericConfig
from crankshaft_core.config.tes import TESConfig
from crankshaft_core.errors import ConfigError

__all__ = ["KINDS", "BackendConfig", "Config", "Origin"]

BackendConfig = DockerConfig | TESConfig | GenericConfig
"""A backend as configured; `kind` tells which."""

KINDS: Mapping[str, type[DockerConfig | TESConfig | GenericConfig]] = {
    "Docker": DockerConfig,
    "Generic": GenericConfig,
    "TES": TESConfig,
}
"""The model of each kind."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was written: a file and line, a variable, a preset."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Config:
    """The places where work can run, and where each of their values was written."""

    backends: Mapping[str, BackendConfig]
    default: str | None = None
    """The backend used where none is given."""
    origins: Mapping[str, Origin] = field(default_factory=dict[str, Origin])
    """Key path ("backends.hpc.locale.host") to its place."""
    warnings: tuple[str, ...] = ()
    """What was loaded as written and is probably not meant."""
    builtin: frozenset[str] = frozenset()
    """Names of the backends that nobody wrote down."""

    @classmethod
    def load(
        cls,
        path: str | Path | None = None,
        *,
        cwd: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Config:
        """Read and merge every source, weakest first: site, user, project, its local file, `path`, variables.

        `path` stands in for the file that CRANKSHAFT_CONFIG names. Raises ConfigError with all problems at once.
        """
        from crankshaft_core.config.load import load

        return load(path, cwd=cwd, environ=environ)

    @classmethod
    def parse(cls, text: str, *, source: str = "<text>") -> Config:
        """Read one TOML text, and nothing else. Raises ConfigError with all problems at once."""
        from crankshaft_core.config.load import parse

        return parse(text, source=source)

    def choose(self, name: str | None = None) -> BackendConfig:
        """The backend called `name`; for None the default, else the only one written down, else `local`.

        Raises ConfigError naming the backends there are.
        """
        wanted = name or self.default
        if wanted is None:
            wanted = self._only()
        if wanted not in self.backends:
            raise ConfigError(f"no backend named {wanted!r}; known: {', '.join(sorted(self.backends))}")
        return self.backends[wanted]

    def _only(self) -> str:
        written = sorted(set(self.backends) - self.builtin)
        if len(written) > 1:
            raise ConfigError(f"several backends and no default: {', '.join(written)}; name one")
        return written[0] if written else "local"
