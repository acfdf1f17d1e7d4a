"""Every mistake gets a line of its own that says where it is, what it is, and what may have been meant."""

from pathlib import Path

import pytest

from crankshaft_core.config import Config
from crankshaft_core.config.presets import preset_names
from crankshaft_core.errors import ConfigError

CASES = Path(__file__).with_name("malformed.txt").read_text(encoding="utf-8").split("----\n")[1:]
"""Each a file, and after it the problems found in it, behind "=> " and without the file's name."""


def problems(text: str, source: str = "Crankshaft.toml") -> list[str]:
    with pytest.raises(ConfigError) as error:
        Config.parse(text, source=source)
    return list(error.value.problems)


@pytest.mark.parametrize("case", CASES, ids=[case.rpartition("=> ")[2].strip() for case in CASES])
def test_a_malformed_file_is_told_in_these_words(case: str):
    text, *expected = case.rstrip("\n").split("\n=> ")
    assert problems(text) == [f"Crankshaft.toml:{line}" for line in expected]


def test_there_are_enough_malformed_files():
    assert len(CASES) > 100


@pytest.mark.parametrize("case", CASES)
def test_no_mistake_makes_a_secret_public(case: str):
    with pytest.raises(ConfigError) as error:
        Config.parse(case.partition("\n=> ")[0])
    assert "hunter2" not in str(error.value)
    assert error.value.__cause__ is None
    assert error.value.__context__ is None  # a traceback would print pydantic's error, and with it the values


def test_a_missing_submit_names_the_presets():
    [problem] = problems('[[backends]]\nname = "a"\nkind = "Generic"')
    assert problem.endswith(f"write the command that starts a job, or name a preset ({', '.join(preset_names())})")


def test_an_unknown_preset_names_the_nearest_one():
    [problem] = problems('[[backends]]\nname = "a"\npreset = "loacl"')
    assert problem == "Crankshaft.toml:3: backends.a.preset: no preset named 'loacl'; did you mean 'local'?"


def test_a_template_that_cannot_be_filled_is_told_with_its_line():
    [problem] = problems('[[backends]]\nname = "a"\nkind = "Generic"\nsubmit = "~{queue?-q ~{queue} ~{command}"')
    assert problem.startswith("Crankshaft.toml:4: backends.a.submit: character 31: ")


def load_file(directory: Path, name: str, text: str) -> list[str]:
    (directory / name).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        Config.load(name, cwd=directory, environ={})
    return list(error.value.problems)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"backends": [}', "1: not valid JSON: expecting value (column 15)"),
        ('{\n"default": "a",\n"default": "b"}', "3: not valid JSON: the key 'default' is written twice (column 1)"),
        ("[]", "not a table; write [[backends]]"),
        (
            '{"backends": [\n\t{"name": "a",\n\t"kind": "Dokcer"}]}',
            "3: backends.a.kind: unknown kind 'Dokcer'; did you mean 'Docker'?",
        ),
        (
            '{"backends": [\n  {"name": "a", "kind": "Docker",\n   "retry": {"on": ["lost",\n "losst"]}}]}',
            "4: backends.a.retry.on[1]: 'losst' is not a verdict; did you mean 'lost'?",
        ),
    ],
)
def test_json_has_lines_too(tmp_path: Path, text: str, expected: str):
    separator = ":" if expected[0].isdigit() else ": "
    assert load_file(tmp_path, "c.json", text) == [f"c.json{separator}{expected}"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("backends: [", "1: not valid YAML: expected the node content, but found '<stream end>'"),
        ("default: a\ndefault: b", "2: not valid YAML: the key 'default' is written twice"),
        ("- a", ": not a table; write [[backends]]"),
        ("backends: !os {}", "1: not valid YAML: could not determine a constructor for the tag '!os'"),
        ("backends: &a\n  - *a", "1: not valid YAML: an alias stands inside its own anchor"),
        (
            "backends:\n  - name: a\n    kind: Docker\n    max_tasks: 0",
            "4: backends.a.max_tasks: must be at least 1, not 0",
        ),
        (
            "backends:\n  - {name: a, kind: Docker, queue: no, defaults: {time: 60}}",
            "2: backends.a.defaults.time: 60 has no unit; write '60m' for minutes or '60s' for seconds",
        ),
        (
            "backends:\n  - {name: a, kind: Docker, keep_dirs: maybe}",
            "2: backends.a.keep_dirs: 'maybe' is neither true nor false",
        ),
        ("\x07", ": not valid YAML: special characters are not allowed"),
    ],
)
def test_yaml_has_lines_too(tmp_path: Path, text: str, expected: str):
    separator = ":" if expected[0].isdigit() else ""
    assert load_file(tmp_path, "c.yaml", text) == [f"c.yaml{separator}{expected}"]


def test_a_file_that_is_not_text_is_told(tmp_path: Path):
    (tmp_path / "c.toml").write_bytes(b'default = "\xff"')
    with pytest.raises(ConfigError) as error:
        Config.load("c.toml", cwd=tmp_path, environ={})
    assert str(error.value) == "c.toml: not UTF-8 text (byte 12)"


def test_the_problems_of_several_files_come_together(tmp_path: Path):
    (tmp_path / "Crankshaft.toml").write_text('[[backends]]\nname = "a"\nkind = "Docker"\nmax_tasks = 0\n')
    (tmp_path / "Crankshaft.local.toml").write_text('[[backends]]\nname = "a"\nclean = true\n')
    variables = {"CRANKSHAFT_BACKENDS__A__PULL": "some"}
    with pytest.raises(ConfigError) as error:
        Config.load(cwd=tmp_path, environ=variables)
    assert error.value.problems == (
        "Crankshaft.toml:4: backends.a.max_tasks: must be at least 1, not 0",
        "Crankshaft.local.toml:3: backends.a.clean: unknown key; did you mean 'cleanup'?",
        "variable CRANKSHAFT_BACKENDS__A__PULL: backends.a.pull: 'some' is not a choice; known: always, missing, never",
    )
