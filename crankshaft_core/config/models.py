"""The configuration as a value."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from crankshaft_core.config.documents import Text
from crankshaft_core.config.kinds import BackendConfig
from crankshaft_core.config.load import LOCAL, load, parse
from crankshaft_core.config.printing import as_written
from crankshaft_core.config.secrets import FingerprintKey
from crankshaft_core.config.sources import Surroundings
from crankshaft_core.config.tree import VARIABLE, Origin
from crankshaft_core.errors import ConfigError

__all__ = ["DEFAULT", "BackendConfig", "Config", "Origin"]

DEFAULT = "CRANKSHAFT_BACKEND"
"""The variable that names the backend used where none is given."""


@dataclass(frozen=True)
class Config:
    """The places where work can run, and where each of their values was written."""

    backends: Mapping[str, BackendConfig]
    default: str | None = None
    """The backend used where none is given."""
    origins: Mapping[str, Origin] = field(default_factory=dict[str, Origin], compare=False, repr=False)
    """Key path ("backends.hpc.locale.host") to its place."""
    warnings: tuple[str, ...] = field(default=(), compare=False)
    """What loads as it is written and is probably not meant, a line each."""
    builtin: frozenset[str] = field(default=frozenset(), compare=False)
    """Names of the backends that no file defines."""

    @classmethod
    def load(
        cls, path: str | Path | None = None, *, cwd: Path | None = None, environ: Mapping[str, str] | None = None
    ) -> Config:
        """Read and merge every source, weakest first: site, user, project, its local file, `path`, variables.

        `path` stands in for what CRANKSHAFT_CONFIG names. Raises ConfigError with all problems at once.
        """
        given = os.environ if environ is None else environ
        around = Surroundings((cwd or Path.cwd()).absolute(), given)
        loaded = load(None if path is None else Path(path), around)
        chosen = given.get(DEFAULT)
        origins = {**loaded.origins, "default": Origin(VARIABLE + DEFAULT)} if chosen else loaded.origins
        return cls(loaded.backends, chosen or loaded.default, origins, loaded.warnings, loaded.builtin)

    @classmethod
    def parse(cls, text: str, *, source: str = "<text>") -> Config:
        """Read one TOML text, and nothing else. Raises ConfigError with all problems at once."""
        loaded = parse(Text(text, source, Path()))
        return cls(loaded.backends, loaded.default, loaded.origins, loaded.warnings, loaded.builtin)

    def choose(self, name: str | None = None) -> BackendConfig:
        """The backend called `name`; for None the default, else the only one written down, else `local`.

        Raises ConfigError naming the backends there are.
        """
        wanted = name or self.default or self._only()
        if wanted not in self.backends:
            place = "" if name else f" ({self.origins.get('default', 'the default')})"
            raise ConfigError(f"no backend named {wanted!r}{place}; known: {self._known()}")
        return self.backends[wanted]

    @cached_property
    def fingerprint(self) -> str:
        """The same for the same configuration in the same process, and of no use in another: secrets stay secret."""
        context = FingerprintKey(_process_key())
        dumped = {name: backend.model_dump(mode="json", context=context) for name, backend in self.backends.items()}
        text = json.dumps([self.default, dumped], sort_keys=True)
        return context.digest(text)

    def redacted(self) -> dict[str, Any]:
        """What was written, in the shape of the file, with secrets hidden; it loads again where none is hidden."""
        default = {} if self.default is None else {"default": self.default}
        return {**default, "backends": [as_written(backend) for backend in self.backends.values()]}

    def _only(self) -> str:
        written = sorted(set(self.backends) - self.builtin)
        if len(written) > 1:
            raise ConfigError(
                f"several backends and no default: {', '.join(written)}; name one, "
                f'or write default = "{written[0]}" at the top of the file'
            )
        return written[0] if written else LOCAL

    def _known(self) -> str:
        """docker, lsf (from Crankshaft.toml), local (built in)."""
        by_file: dict[str, list[str]] = {}
        for name in sorted(self.backends):
            origin = self.origins.get(f"backends.{name}.name")
            by_file.setdefault("" if origin is None else origin.file, []).append(name)
        builtin = by_file.pop("built in", [])
        parts = [", ".join(names) + (f" (from {file})" if file else "") for file, names in by_file.items()]
        return ", ".join([*parts, *(f"{name} (built in)" for name in builtin)])


@cache
def _process_key() -> bytes:
    return secrets.token_bytes(32)
