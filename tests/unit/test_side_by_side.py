"""Tests that share a place or a file stay in one process."""

import pytest

from tests.contract.places import PLACES
from tests.side_by_side import scope_of


@pytest.mark.parametrize(
    ("nodeid", "scope"),
    [
        ("tests/contract/test_backend.py::test_a[slurm-3]", "contract[slurm]"),
        ("tests/contract/test_engine.py::test_a[slurm-ssh]", "contract[slurm-ssh]"),
        ("tests/contract/test_backend.py::test_a[x-docker-copying]", "contract[docker-copying]"),
        ("tests/contract/test_backend.py::test_a[tes-plain-1.1-3]", "contract[tes-plain-1.1]"),
        ("tests/contract/test_backend.py::test_of_no_place", "tests/contract/test_backend.py"),
        ("tests/unit/test_x.py::test_a[slurm]", "tests/unit/test_x.py"),
    ],
)
def test_what_shares_services_stays_together(nodeid: str, scope: str) -> None:
    assert scope_of(nodeid, PLACES) == scope
