"""How files get to jobs and back, which backends can have it that way, and what to say where they cannot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from crankshaft_core.config import BackendConfig, GenericConfig, TESConfig
from snakemake_executor_crankshaft.elsewhere import is_elsewhere, unseen
from snakemake_executor_crankshaft.sharing import Sharing
from snakemake_executor_crankshaft.sources import fit_inline

__all__ = ["Mode", "Ways", "mode_of"]

_NONE = "--shared-fs-usage none"
_PROVIDER = f"{_NONE} --default-storage-provider s3 --default-storage-prefix s3://BUCKET/PREFIX"


class Mode(Enum):
    """How files get to jobs and back."""

    SHARED = "shared"
    """Jobs see the workflow's own."""
    STORAGE = "storage"
    """Each job fetches its inputs from a storage provider, and brings its outputs there."""
    CARRIED = "carried"
    """They travel with the task."""


def mode_of(workflow: Any) -> Mode:
    """As the command line of Snakemake's `workflow` says."""
    if Sharing.of(workflow).files:
        return Mode.SHARED
    return Mode.CARRIED if workflow.storage_settings.default_storage_provider is None else Mode.STORAGE


@dataclass(frozen=True, slots=True)
class Ways:
    """What a workflow counts on."""

    mode: Mode = Mode.SHARED
    here: tuple[str, ...] = ()
    """Directories of this machine that the jobs have to see."""
    software: str | None = None
    """The directory of this machine's own software, if jobs use that."""
    sources: bytes | None = None
    """The workflow's sources, if they travel with the tasks."""
    prefix: str | None = None
    """Of the storage provider."""

    def problems(self, backend: BackendConfig) -> Iterator[str]:
        """Why `backend` cannot have it this way, and the flags that would work; a line each."""
        if self.mode is Mode.STORAGE and not self.prefix:
            yield f"a storage provider needs a prefix: {_PROVIDER}"
        if isinstance(backend, TESConfig):
            yield from self._problems_of_tes(backend)
        elif isinstance(backend, GenericConfig) and self.here and is_elsewhere(backend):
            path = unseen(backend, self.here)
            if path is not None:
                yield (
                    f"backend {backend.name!r}: {backend.locale.host} does not see {path} of this machine. To have "
                    f"sources, inputs and outputs travel with the jobs: {_NONE}; through a storage: {_PROVIDER}"
                )

    def _problems_of_tes(self, backend: TESConfig) -> Iterator[str]:
        wanted = [*self.here, *filter(None, (self.software,))]
        if wanted:
            yield (
                f"backend {backend.name!r}: the workers of a TES server do not see {wanted[0]} of this machine. "
                f"{_tes_flags(backend)}"
            )
        elif backend.storage is None and self.mode is Mode.CARRIED:
            yield f"backend {backend.name!r} has no way to bring files back. {_tes_flags(backend)}"
        elif backend.storage is None and self.sources is not None and not fit_inline(self.sources):
            yield (
                f"backend {backend.name!r}: the workflow's sources are {len(self.sources)} bytes, too many to travel "
                'within a task; add to the backend: storage = "s3://BUCKET/PREFIX"'
            )


def _tes_flags(backend: TESConfig) -> str:
    carried = f"{_NONE} (everything then travels through the backend's `storage`)"
    if backend.storage is None:
        carried = f'add storage = "s3://BUCKET/PREFIX" to the backend, and use {_NONE}'
    return f"Either {carried}, or use a storage provider: {_PROVIDER}"
