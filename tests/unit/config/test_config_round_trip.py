"""What is written is read back, whatever it is."""

import json
import math
import string
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from crankshaft_core.config import Config
from crankshaft_core.config.documents import Text
from crankshaft_core.config.json_text import read_json
from crankshaft_core.config.load import parse
from crankshaft_core.config.toml_lines import KeyPath, toml_lines
from crankshaft_core.config.yaml_text import read_yaml

quick = settings(max_examples=25, deadline=None)

# --- texts and their lines -------------------------------------------------------------------------------------------

KEY = st.one_of(
    st.text(string.ascii_letters + "_-", min_size=1, max_size=4),
    st.text(" .'\"\\#=]\n\x7fü\U0001f600", max_size=3),
)
SCALAR = st.one_of(
    st.text("ab \t'\"\\#=,]}[{\nü", max_size=8),
    st.sampled_from(["'", '"', '"""', "'''", "#", "]", "}", "=", "\\", "\n", "a\nb = 3\n[c]"]),
    st.integers(-(2**31), 2**31),
    st.floats(allow_nan=False),
    st.booleans(),
)
VALUE = st.recursive(
    SCALAR,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEY, inner, max_size=3)),
    max_leaves=5,
)
TREE = st.dictionaries(
    KEY, st.one_of(VALUE, st.lists(st.dictionaries(KEY, VALUE, max_size=2), min_size=1, max_size=2)), max_size=4
)


def paths(data: Any, path: KeyPath = ()) -> set[KeyPath]:
    below: list[tuple[str | int, Any]] = []
    if isinstance(data, dict):
        below = list(data.items())
    elif isinstance(data, list):
        below = list(enumerate(data))
    return {(*path, key) for key, _ in below} | {found for key, item in below for found in paths(item, (*path, key))}


def toml_text(data: dict[str, Any], draw: Any, header: tuple[str, ...] = ()) -> str:
    """Some TOML of `data`: headers, arrays of tables, inline tables, dotted keys and comments as drawn."""
    simple, nested = "", ""
    for key, value in data.items():
        path = (*header, quoted(key))
        if isinstance(value, dict) and draw(st.booleans()):
            nested += f"[ {' . '.join(path)} ] # x = 3\n{toml_text(value, draw, path)}"
        elif (
            value and isinstance(value, list) and all(isinstance(item, dict) for item in value) and draw(st.booleans())
        ):
            nested += "".join(f"\n[[{'.'.join(path)}]]\n{toml_text(item, draw, path)}" for item in value)
        elif value and isinstance(value, dict) and draw(st.booleans()):
            simple += "".join(f"{quoted(key)}.{quoted(inner)} = {toml_value(v)}\n" for inner, v in value.items())
        else:
            simple += f"{quoted(key)}={toml_value(value)}# [no header]\n"
    return simple + nested


def quoted(key: str) -> str:
    bare = key and set(key) <= set(string.ascii_letters + string.digits + "_-")
    return key if bare else basic(key)


def toml_value(value: Any) -> str:
    if isinstance(value, str):
        literal = "'" not in value and value[:1] != "\n" and value.replace("\n", "").isprintable()
        return f"'''{value}'''" if literal else basic(value)
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{quoted(key)} = {toml_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[ # a list\n" + "".join(f"  {toml_value(item)},\n" for item in value) + "]"
    return str(value).lower() if isinstance(value, bool) else repr(value)


def basic(text: str) -> str:
    return '"' + "".join(f"\\U{ord(char):08x}" for char in text) + '"'


@quick
@given(TREE, st.data())
def test_every_key_of_a_toml_text_has_its_line(tree: dict[str, Any], data: Any):
    text = toml_text(tree, data.draw)
    assert tomllib.loads(text) == tree
    assert set(toml_lines(text)) == paths(tree)


@quick
@given(TREE, st.data())
def test_the_lines_of_a_toml_text_are_where_its_keys_stand(tree: dict[str, Any], data: Any):
    text = toml_text(tree, data.draw)
    written = text.split("\n")
    keys = [(path[-1], line) for path, line in toml_lines(text).items() if isinstance(path[-1], str)]
    assert [key for key, line in keys if quoted(key) not in written[line - 1]] == []


@quick
@given(TREE, st.integers(0, 4))
def test_every_key_of_a_json_text_has_its_line(tree: dict[str, Any], indent: int):
    data, lines = read_json(json.dumps(tree, indent="\t" * indent or None))
    assert data == tree
    assert set(lines) == paths(tree)


@quick
@given(TREE)
def test_every_key_of_a_yaml_text_has_its_line(tree: dict[str, Any]):
    data, lines = read_yaml(yaml.safe_dump(tree, allow_unicode=False))
    assert data == tree
    assert set(lines) == paths(tree)


def test_the_lines_of_a_text_by_hand():
    text = 'a = 1\n\n[b."c d"]\nx.y = [\n  1, # one\n  { z = """\n"""\n}]\n[[t]]\n[[t]]\nu = 07:32:00\n'
    assert toml_lines(text) == {
        ("a",): 1,
        ("b",): 3,
        ("b", "c d"): 3,
        ("b", "c d", "x"): 4,
        ("b", "c d", "x", "y"): 4,
        ("b", "c d", "x", "y", 0): 5,
        ("b", "c d", "x", "y", 1): 6,
        ("b", "c d", "x", "y", 1, "z"): 6,
        ("t",): 9,
        ("t", 0): 9,
        ("t", 1): 10,
        ("t", 1, "u"): 11,
    }


# --- configurations --------------------------------------------------------------------------------------------------

WORD = st.text(string.ascii_letters + string.digits + " _-'\"\\\t#=ü", min_size=1, max_size=8).map("w{}".format)
POSITIVE = st.floats(1e-6, 1e9, allow_subnormal=False)
DURATION = POSITIVE.map(lambda seconds: f"{seconds:f}s").filter(lambda text: float(text[:-1]) > 0)
VARIABLE = st.text(string.ascii_uppercase, min_size=1, max_size=5).filter(lambda name: "KEY" not in name)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


COMMON = {
    "max_tasks": st.integers(1, 10**6),
    "defaults": some(
        cpu=POSITIVE, ram=POSITIVE, disk=POSITIVE, gpu=st.integers(0, 9), time=DURATION, preemptible=st.booleans()
    ),
    "attributes": st.dictionaries(WORD, WORD, max_size=2),
    "queue": WORD,
    "env": st.one_of(st.lists(VARIABLE), st.dictionaries(VARIABLE, st.one_of(st.booleans(), WORD), max_size=3)),
    "retry": some(attempts=st.integers(1, 5), on=st.lists(st.sampled_from(["lost", "preempted", "failed"]))),
    "poll_interval": st.one_of(POSITIVE, DURATION),
    "grace": DURATION,
    "keep_dirs": st.booleans(),
}
SECRET = st.one_of(*(st.fixed_dictionaries({key: WORD}) for key in ("env", "command")))
DOCKER = st.fixed_dictionaries(
    {"kind": st.just("Docker")}, optional={**COMMON, "swarm": st.sampled_from(["auto", True])}
)
TES = st.fixed_dictionaries(
    {"kind": st.just("TES"), "url": st.just("https://tes.example.org")},
    optional={
        **COMMON,
        "http": some(timeout=DURATION, basic_auth_token=SECRET, verify=st.booleans()),
        "storage": st.sampled_from(["s3://b/p", {"url": "file:///x", "options": {"anon": True, "n": [1]}}]),
    },
)
GENERIC = st.fixed_dictionaries(
    {"kind": st.just("Generic"), "submit": st.just("nice ~{command}")},
    optional={
        **COMMON,
        "queues": st.lists(
            st.fixed_dictionaries({"name": WORD}, optional={"max_time": DURATION, "gpu": st.booleans()})
        ),
        "locale": st.fixed_dictionaries({"host": WORD}, optional={"password": SECRET, "keepalive": DURATION}),
        "prologue": WORD,
    },
)
NAME = st.text(string.ascii_letters, min_size=1, max_size=4).filter(lambda name: name != "local")
BACKENDS = st.dictionaries(NAME, st.one_of(DOCKER, TES, GENERIC), max_size=3)


def written_as(suffix: str, data: dict[str, Any]) -> Text:
    content = json.dumps(data) if suffix == ".json" else yaml.safe_dump(data)
    return Text(content, "c", Path("/"), suffix)


@quick
@given(BACKENDS, st.sampled_from([".json", ".yaml"]))
def test_what_is_printed_is_read_back_as_the_same(backends: dict[str, Any], suffix: str):
    first = parse(written_as(suffix, {"backends": backends}))
    shown = Config(first.backends).redacted()
    assert parse(written_as(suffix, shown)).backends == first.backends


@quick
@given(BACKENDS)
def test_toml_and_json_of_the_same_shape_are_the_same(backends: dict[str, Any]):
    listed = [{"name": name, **fields} for name, fields in backends.items()]
    toml = f"backends = {toml_value(listed)}"
    assert Config.parse(toml).backends == parse(written_as(".json", {"backends": backends})).backends


@quick
@given(BACKENDS)
def test_kebab_case_and_snake_case_are_the_same(backends: dict[str, Any]):
    kebab = {name: {key.replace("_", "-"): item for key, item in table.items()} for name, table in backends.items()}
    snake = parse(written_as(".json", {"backends": backends}))
    assert parse(written_as(".json", {"backends": kebab})).backends == snake.backends


@quick
@given(POSITIVE, st.sampled_from([("s", 1), ("m", 60), ("h", 3600), ("d", 86400)]))
def test_durations_of_any_unit_are_seconds(number: float, unit: tuple[str, int]):
    config = Config.parse(f'[backends.a]\nkind = "Docker"\ngrace = "{number:f}{unit[0]}"')
    grace = config.backends["a"].grace
    assert grace is not None
    assert math.isclose(grace, float(f"{number:f}") * unit[1])


@pytest.mark.parametrize(
    ("text", "expected"), [("5", 5), ('"5"', 5), ('"1.5"', 1.5), ('"5s"', 5), ('"2m"', 120), ("0.5", 0.5)]
)
def test_intervals_are_seconds_or_have_a_unit(text: str, expected: float):
    config = Config.parse(f'[backends.a]\nkind = "Docker"\npoll_interval = {text}')
    assert config.backends["a"].poll_interval == expected


@pytest.mark.parametrize("text", ["on", "no", "yes", "1:30", "010", "0x1F", "2024-01-01", "1_000"])
def test_what_only_old_yaml_takes_for_something_else_is_text(text: str):
    assert read_yaml(f"key: {text}")[0] == {"key": text}


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("~", None), ("", None), ("12", 12), ("-1.5e3", -1500.0), (".5", 0.5)]
)
def test_what_yaml_takes_for_values_are_values(text: str, value: Any):
    assert read_yaml(f"key: {text}")[0] == {"key": value}


def test_an_empty_yaml_text_is_an_empty_table():
    assert read_yaml("# nothing\n") == ({}, {})
