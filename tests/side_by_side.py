"""Which tests of a run in several processes (`pytest -n`) stay together: those that share what is costly to set up."""

from __future__ import annotations

import re
from collections.abc import Collection

from xdist.scheduler.loadscope import LoadScopeScheduling

from tests.contract.places import PLACES

__all__ = ["ByService", "scope_of"]


class ByService(LoadScopeScheduling):
    """A file of tests goes to one process; of the contract suite, all tests of one place."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid, PLACES)


def scope_of(nodeid: str, places: Collection[str]) -> str:
    """The file, or the place for a test of the contract suite.

    >>> scope_of("tests/contract/test_engine.py::test_x[slurm-ssh-3]", ["slurm", "slurm-ssh"])
    'contract[slurm-ssh]'
    """
    file, _, test = nodeid.partition("::")
    if not file.startswith("tests/contract/"):
        return file
    arguments = f"-{re.sub(r'^[^[]*.', '', test).removesuffix(']')}-"
    fitting = [place for place in places if f"-{place}-" in arguments]
    return f"contract[{max(fitting, key=len)}]" if fitting else file
