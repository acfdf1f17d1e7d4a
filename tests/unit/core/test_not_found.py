"""Commands that are not there, in the words of whoever looked for them."""

from __future__ import annotations

import pytest

from crankshaft_core.not_found import what_was_not_found


@pytest.mark.parametrize(
    "line",
    [
        "/w/k1/tasks/k1-1/cmd.0: line 1: samtools: command not found",
        "bash: samtools: command not found",
        "/w/k1/wrapper: line 203: exec: samtools: not found",
        "/bin/sh: 1: samtools: not found",
        "sh: samtools: not found",
        "/w/cmd.0[3]: samtools: not found",
        "zsh:1: command not found: samtools",
        "env: \u2018samtools\u2019: No such file or directory",
        "/usr/bin/env: 'samtools': No such file or directory",
        "env: can't execute 'samtools': No such file or directory",
        "[FATAL tini (7)] exec samtools failed: No such file or directory",
        'FATAL:   "samtools": executable file not found in $PATH',
        'Error: runc: unable to start container: exec: "samtools": executable file not found in $PATH: OCI',
    ],
)
def test_each_shell_and_runtime_is_understood(line: str) -> None:
    assert what_was_not_found(f"reading reads\n{line}\n") == "samtools: command not found"


def test_a_script_is_named_by_its_path() -> None:
    line = "/w/cmd.0: line 1: ./map.sh: cannot execute: required file not found"
    assert what_was_not_found(line) == "./map.sh: command not found"


def test_a_library_is_no_command() -> None:
    line = "samtools: error while loading shared libraries: libhts.so.3: cannot open shared object file: No such file"
    assert what_was_not_found(line) == "samtools: shared library libhts.so.3 not found"


def test_the_last_word_counts() -> None:
    text = "x: line 1: first: command not found\nx: line 2: second: command not found\n"
    assert what_was_not_found(text) == "second: command not found"


@pytest.mark.parametrize("text", ["", "the index was not found\n", "done\n" * 9])
def test_nothing_is_made_of_other_words(text: str) -> None:
    assert what_was_not_found(text) == ""
