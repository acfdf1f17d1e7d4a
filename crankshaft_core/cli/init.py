"""`crankshaft init`: a commented file to start from."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from crankshaft_core.cli import exit_codes
from crankshaft_core.cli.arguments import Invocation
from crankshaft_core.errors import ConfigError

__all__ = ["STARTER", "main"]

STARTER = Path(__file__).with_name("starter.toml")
"""What is written."""


def main(invocation: Invocation) -> int:
    """Write it. Raises ConfigError if something is there already, or the directory is not."""
    path = Path(invocation.options.path)
    try:
        # Others never get to write it, whatever the umask: such a file is refused when it is read.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        raise ConfigError(f"{path} is there already, and is left as it is; name another PATH") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(STARTER.read_bytes())
    sys.stdout.write(f"Wrote {path}. Edit it, then run 'crankshaft check'.\n")
    return exit_codes.OK
