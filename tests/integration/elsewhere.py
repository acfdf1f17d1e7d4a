"""This machine, reached the way another one is: by scripts alone."""

from __future__ import annotations

from crankshaft_core.drivers.local import LocalDriver


class Elsewhere(LocalDriver):
    """Has none of the short cuts of a place whose files are ours."""

    @property
    def where(self) -> str:
        return "elsewhere"

    @property
    def local(self) -> bool:
        return False
