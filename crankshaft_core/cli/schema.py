"""`crankshaft schema`: the JSON Schema of Crankshaft.toml, by which editors complete and check it."""

from __future__ import annotations

import json
import sys

from crankshaft_core.cli import exit_codes
from crankshaft_core.cli.arguments import Invocation
from crankshaft_core.config.schema import json_schema

__all__ = ["main"]


def main(_: Invocation) -> int:
    """Print it. No file is read."""
    sys.stdout.write(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n")
    return exit_codes.OK
