import re

import pytest

from crankshaft_core.cli.init import STARTER
from crankshaft_core.config import Config

TEXT = STARTER.read_text(encoding="utf-8")


def examples():
    """The commented backends, one text each: what stands behind a "#" with no space after it."""
    lines = [line[1:] for line in TEXT.splitlines() if re.match(r"#\S", line)]
    return "\n".join(lines)


def test_the_starter_file_loads_as_it_is():
    assert set(Config.parse(TEXT).backends) == {"local"}


def test_every_example_in_it_loads_when_it_is_taken_out_of_its_comment():
    config = Config.parse(examples())
    assert set(config.backends) >= {"cluster", "cluster-ssh", "own", "docker", "tes"}
    assert not config.warnings


def test_its_default_is_one_of_its_examples():
    assert Config.parse(examples()).choose(None).name == "cluster"


@pytest.mark.parametrize("line", TEXT.splitlines())
def test_nothing_in_it_is_too_wide_for_a_terminal(line):
    assert len(line) <= 120
