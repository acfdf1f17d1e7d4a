from collections.abc import Callable
from pathlib import Path

import pytest

from tests.adapters.snakemake.workflow import Workflow


@pytest.fixture
def workflow(tmp_path: Path) -> Workflow:
    return Workflow(tmp_path)


@pytest.fixture(scope="module")
def shared_workflow(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Workflow]:
    """For runs whose facts are tested one by one."""
    return lambda name: Workflow(tmp_path_factory.mktemp(name))
