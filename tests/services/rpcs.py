"""What clients have asked of a Slurm controller, as it counts by itself."""

from __future__ import annotations

import re
import subprocess

__all__ = ["reset", "rpcs"]

_OF_THE_NODE = {
    "ACCOUNTING_REGISTER_CTLD",
    "MESSAGE_EPILOG_COMPLETE",
    "MESSAGE_NODE_REGISTRATION_STATUS",
    "REQUEST_COMPLETE_BATCH_SCRIPT",
    "REQUEST_COMPLETE_PROLOG",
    "REQUEST_STATS_INFO",
}
"""Those of its own daemons, and of `sdiag` itself."""


def rpcs() -> dict[str, int]:
    """How often each kind was asked since `reset`."""
    said = subprocess.run(["sdiag"], stdout=subprocess.PIPE, text=True, check=True, timeout=60).stdout
    counts = re.findall(r"^\s+([A-Z_]+)\s+\(\s*\d+\) count:(\d+)", said, re.MULTILINE)
    return {kind: int(count) for kind, count in counts if kind not in _OF_THE_NODE}


def reset() -> None:
    """Count from zero. For whom Slurm lets do that."""
    subprocess.run(["sdiag", "--reset"], check=True, timeout=60)
