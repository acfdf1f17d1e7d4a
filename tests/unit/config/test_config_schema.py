"""The schema for editors, the reference, and what the models tell of themselves."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from crankshaft_core.backends.base import Attempt
from crankshaft_core.backends.generic.values import task_values
from crankshaft_core.config import CommonConfig, Config, GenericConfig, json_schema, reference
from crankshaft_core.config.descriptions import descriptions
from crankshaft_core.config.layout import is_free, layout, table_models
from crankshaft_core.config.placeholders import OPTIONAL, PLACEHOLDERS, TEMPLATES
from crankshaft_core.errors import ConfigError
from crankshaft_core.task import Execution, Task

jsonschema = pytest.importorskip("jsonschema")  # comes with snakemake

VALID = [
    '[[backends]]\nname = "a"\nkind = "Docker"\nmounts = ["/a:/b", { source = "/c", target = "/d", read-only = true }]',
    '[[backends]]\nname = "a"\npreset = "local"\nmax-tasks = 3\nmonitor-frequency = 5',
    '[[backends]]\nname = "a"\npreset = "local"\nqueues = [{ name = "q", max_time = "1h" }]',
    '[[backends]]\nname = "b"\nextends = "a"',
    '[backends.a]\nkind = "TES"\nurl = "https://t"\ninterval = "5s"\nstorage = "s3://b"',
    '[backends.a]\nkind = "TES"\n[backends.a.http]\nauth = { type = "bearer", token = { env = "X" } }',
    '[backends.a]\nkind = "Generic"\nsubmit = "x"\nlocale = { host = "h", password = "p" }\nenv = ["PATH"]',
    '[backends.a]\nkind = "Docker"\nattributes = { a-b = "c" }\nretry = { on = "lost" }\nenv = { A = true, B = "x" }',
    '[backends.a]\nkind = "Docker"\ndefaults = { ram = "8GB", time = "90m", cpu = 1.5, zones = ["a"], disk = 1 }',
]

INVALID = [
    '[[backends]]\nkind = "Docker"',
    '[[backends]]\nname = "a"\nkind = "Podman"',
    '[[backends]]\nname = "a"\nkind = "Docker"\nmax_task = 3',
    '[[backends]]\nname = "a"\nkind = "Docker"\ndefaults = { memory = 8 }',
    '[[backends]]\nname = "a"\nkind = "Docker"\ndefaults = { time = 90 }',
    '[[backends]]\nname = "a"\nkind = "Docker"\nmax_tasks = 0',
    'backend = "a"',
]


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("text", VALID)
def test_the_schema_takes_what_may_be_written(validator: Any, text: str):
    assert list(validator.iter_errors(tomllib.loads(text))) == []


@pytest.mark.parametrize("text", INVALID)
def test_the_schema_refuses_what_may_not_be_written(validator: Any, text: str):
    assert list(validator.iter_errors(tomllib.loads(text)))


def test_the_malformed_files_that_the_schema_takes_are_wrong_in_ways_it_cannot_tell(validator: Any):
    cases = Path(__file__).with_name("malformed.txt").read_text().split("----\n")[1:]
    misspelt = [case.split("\n=> ")[0] for case in cases if "unknown key" in case and "for kind" not in case]
    assert len(misspelt) > 20
    assert [text for text in misspelt if not list(validator.iter_errors(tomllib.loads(text)))] == []


def test_the_schema_is_json():
    assert json.loads(json.dumps(json_schema())) == json_schema()


def test_the_schema_holds_nothing_of_this_machine():
    text = json.dumps(json_schema())
    assert '"default":' not in text.replace('"default": {"type": "string", "description"', "")


@pytest.mark.parametrize("model", sorted(table_models(), key=lambda model: model.__name__))
def test_every_field_is_described(model: type[BaseModel]):
    assert set(descriptions(model)) >= set(model.model_fields)


@pytest.mark.parametrize("field", sorted({path[0] for path in layout()} - {"kind"}))
def test_the_reference_has_every_field(field: str):
    assert f"| `{field}` |" in reference()


def test_the_tables_with_keys_of_the_writers_own_are_known():
    free = {".".join(path) for path, place in layout().items() if place.free}
    assert free == {"attributes", "env", "storage.options"}


def test_what_stands_in_such_a_table_is_free_too():
    assert is_free(("storage", "options", "client_kwargs", "x"))


def test_keys_of_the_writers_own_stay_as_they_are():
    config = Config.parse('[backends.a]\nkind = "Docker"\nattributes = { some-key = 1, other_key = true }')
    assert config.backends["a"].attributes == {"some-key": "1", "other_key": "true"}


def test_templates_are_fields():
    assert set(TEMPLATES) <= set(GenericConfig.model_fields)


def test_common_fields_are_every_kinds():
    assert all((name,) in layout(kind) for name in CommonConfig.model_fields for kind in ("Docker", "Generic", "TES"))


@pytest.mark.parametrize("name", sorted(PLACEHOLDERS))
@pytest.mark.parametrize("template", ["~{%s}", "~{%s?x ~{%s}}", "~{%s>1?x}"])
def test_every_placeholder_is_known(name: str, template: str):
    text = template.replace("%s", name)
    assert Config.parse(f"[backends.a]\nkind = 'Generic'\nsubmit = 'run {text}'").backends


def test_every_name_that_the_generic_backend_fills_is_known():
    config = Config.parse("[backends.a]\nkind = 'Generic'\nsubmit = 'x'").backends["a"]
    assert isinstance(config, GenericConfig)
    attempt = Attempt("t-1", "t", 1, Task(executions=(Execution(program="true"),)))
    assert set(task_values(attempt, config)) <= PLACEHOLDERS | OPTIONAL


def test_an_attribute_is_a_placeholder():
    assert Config.parse("[backends.a]\nkind = 'Generic'\nsubmit = 'run ~{mine}'\nattributes = { mine = 'x' }").backends


def test_an_attribute_that_only_tasks_set_is_a_placeholder_where_it_may_be_missing():
    assert Config.parse("[backends.a]\nkind = 'Generic'\nsubmit = 'run ~{mine?--mine=~{mine}}'").backends


def test_an_escaped_placeholder_is_none():
    assert Config.parse("[backends.a]\nkind = 'Generic'\nsubmit = 'run \\~{mine}'").backends


def test_a_name_that_nothing_fills_is_told():
    with pytest.raises(ConfigError, match=r"~\{mine\}; a name of your own needs an entry in attributes"):
        Config.parse("[backends.a]\nkind = 'Generic'\nsubmit = 'run ~{mine}'")
