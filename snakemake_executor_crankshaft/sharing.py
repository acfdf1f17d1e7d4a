"""What jobs see of this machine. Everything that depends on it asks here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from snakemake_interface_executor_plugins.settings import SharedFSUsage

__all__ = ["Sharing"]


@dataclass(frozen=True, slots=True)
class Sharing:
    """`--shared-fs-usage`, as far as jobs care."""

    files: bool
    """Inputs, outputs, logs."""
    sources: bool
    """The Snakefile and what it includes."""
    software: bool
    """What is installed here, under the same paths."""

    @classmethod
    def of(cls, workflow: Any) -> Sharing:
        """That of Snakemake's `workflow`."""
        usage = workflow.storage_settings.shared_fs_usage
        return cls(
            files=SharedFSUsage.INPUT_OUTPUT in usage,
            sources=SharedFSUsage.SOURCES in usage,
            software=SharedFSUsage.SOFTWARE_DEPLOYMENT in usage,
        )
