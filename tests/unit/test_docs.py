"""What docs/ shows is tried, or says why it is not."""

from __future__ import annotations

import re
import tomllib

import pytest
import yaml

from crankshaft_core.backends.generic import GenericBackend
from crankshaft_core.backends.opening import open_backend
from crankshaft_core.config import Config, GenericConfig
from crankshaft_core.config.placeholders import OPTIONAL, PLACEHOLDERS
from tests.doc_pages import COMMANDS, DOCS, MARKS, PLACES, Block, all_blocks, blocks, pages

ROOT = DOCS.parent
BLOCKS = all_blocks()
TOML = [block for block in BLOCKS if block.language == "toml" and "not loaded" not in block.marks]
ASKING = ("monitor_all", "diagnose", "kill", "list_queues")
PRESETS = ROOT / "crankshaft_core" / "backends" / "presets"


def page(name: str) -> str:
    return (DOCS / name).read_text()


def test_every_fence_is_read_as_a_block() -> None:
    fences = {name: len(re.findall(r"^ *```", page(name), re.MULTILINE)) for name in pages()}
    assert fences == {name: 2 * len(list(blocks(name))) for name in pages()}


def test_every_block_of_commands_is_run_or_says_why_not() -> None:
    silent = [str(b) for b in BLOCKS if b.language in COMMANDS and len({"run", "not run"} & b.marks.keys()) != 1]
    assert silent == []


def test_what_is_run_names_a_place_that_the_tests_have() -> None:
    assert {block.marks["run"] for block in BLOCKS if "run" in block.marks} <= set(PLACES)


def test_every_mark_is_one_that_means_something() -> None:
    assert {mark for block in BLOCKS for mark in block.marks} <= set(MARKS)


@pytest.mark.parametrize("block", TOML, ids=str)
def test_every_configuration_shown_loads(block: Block) -> None:
    assert Config.parse(block.text, source=str(block)).warnings == ()


def test_every_page_is_in_the_site() -> None:
    listed = re.findall(r"^ +- .*?: ([\w-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert sorted(listed) == pages()


def test_every_placeholder_is_explained() -> None:
    explained = set(re.findall(r"~\{(\w+)\}", page("configuration.md").split("## Intervals")[0]))
    assert sorted((PLACEHOLDERS | OPTIONAL) - explained) == []


@pytest.mark.parametrize(
    ("row", "backend"),
    [
        ("Generic, here", "kind = 'Generic'\npreset = 'slurm'"),
        ("Generic, over SSH", "kind = 'Generic'\npreset = 'slurm'\nlocale = { host = 'x', ssh_config = 'none' }"),
        ("Docker", "kind = 'Docker'\nhost = 'unix:///nowhere'"),
        ("TES", "kind = 'TES'\nurl = 'http://127.0.0.1:9'"),
    ],
)
def test_the_intervals_that_hold_are_those_of_the_table(row: str, backend: str) -> None:
    config = Config.parse(f"[[backends]]\nname = 'x'\n{backend}")
    cadence = open_backend(config.backends["x"], run_id="r").cadence
    held = (
        cadence.poll,
        cadence.slowest_poll,
        cadence.sweep,
        cadence.grace,
        cadence.kill_after,
        cadence.cancel_timeout,
    )
    assert f"| {row} | {' | '.join(f'{seconds:g}' for seconds in held)} |" in page("configuration.md")


def test_the_configuration_in_a_variable_of_a_container_loads() -> None:
    [deployments] = [block for block in BLOCKS if "CRANKSHAFT_CONFIG_TOML" in block.text and block.language == "yaml"]
    variables = yaml.safe_load(deployments.text)["deployments"][0]["work_pool"]["job_variables"]["env"]
    assert sorted(Config.parse(variables["CRANKSHAFT_CONFIG_TOML"]).backends) == ["cloud", "local"]


@pytest.mark.parametrize("preset", sorted(path.stem for path in PRESETS.glob("*.toml")))
def test_administrators_see_every_command_of_a_preset_but_submit(preset: str) -> None:
    fields = tomllib.loads((PRESETS / f"{preset}.toml").read_text())
    commands = [fields[name].strip() for name in ASKING if name in fields]
    assert [command for command in commands if command not in page("administrators.md")] == []


def test_administrators_see_the_intervals_that_hold() -> None:
    cadence = GenericBackend(GenericConfig(name="x", submit="true"), run_id="r").cadence
    text = page("administrators.md")
    said = (
        f"every {cadence.sweep:.0f} s (`sweep_interval`)",
        f"for {cadence.grace:.0f} s (`grace`)",
        f"every {cadence.kill_after:.0f} s (`kill_after`)",
        f"at most {cadence.cancel_timeout:.0f} s (`cancel_timeout`)",
        f"growing to every {cadence.slowest_poll:.0f} s",
        f"repeated after {cadence.in_doubt:.0f} s",
    )
    assert [words for words in said if words not in text] == []


def test_the_readme_leads_to_every_page_but_the_first() -> None:
    linked = set(re.findall(r"\(docs/([\w-]+\.md)\)", (ROOT / "README.md").read_text()))
    assert linked == set(pages()) - {"index.md"}
