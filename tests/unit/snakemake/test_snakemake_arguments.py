"""Snakemake's argument text comes apart into the very arguments it was made of."""

import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snakemake_interface_executor_plugins.utils import format_cli_arg, join_cli_args

from snakemake_executor_crankshaft.arguments import split_arguments

# NUL cannot be an argument; Snakemake leaves a value that begins with a quote and holds another one as it is
VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: text[0] not in "'\""
)


@given(st.lists(VALUES, min_size=1))
def test_strings_come_back_as_they_were(values: list[str]) -> None:
    assert split_arguments(format_cli_arg("--names", values)) == ["--names", *values]


@given(st.dictionaries(st.from_regex(r"[a-z]+", fullmatch=True), VALUES, min_size=1))
def test_config_entries_come_back_as_they_were(config: dict[str, str]) -> None:
    text = format_cli_arg("--config", config)
    assert split_arguments(text) == ["--config", *(f"{key}={value}" for key, value in config.items())]


@given(st.text(st.characters(exclude_characters="\0\\/", exclude_categories=["Cs"]), min_size=1))
def test_paths_come_back_as_they_were(name: str) -> None:
    path = Path("/dir") / name
    assert split_arguments(format_cli_arg("--directory", path)) == ["--directory", str(path)]


def test_flags_numbers_and_bare_words_stay_apart() -> None:
    text = join_cli_args(["--force", format_cli_arg("--cores", 4), format_cli_arg("--nocolor", True), "--retries 0"])
    assert split_arguments(text) == ["--force", "--cores", "4", "--nocolor", "--retries", "0"]


def test_nothing_is_no_arguments() -> None:
    assert split_arguments("  ") == []


def test_an_open_quote_is_refused() -> None:
    with pytest.raises(ValueError, match="no closing quotation in \"'ab"):
        split_arguments("--x 'ab")


def test_a_shell_reads_the_joined_arguments_as_they_were_meant() -> None:
    nasty = ["it's $HOME", 'a "b"', "new\nline", "`id`", "\\n", "*", "ü"]
    text = shlex.join(["printf", "%s\\0", *split_arguments(format_cli_arg("--x", nasty))])
    printed = subprocess.run(["sh", "-c", text], check=True, capture_output=True, text=True).stdout
    assert printed.split("\0")[1:-1] == nasty
