"""JSON Schema of the file, for editors."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from crankshaft_core.config.common import ALIASES
from crankshaft_core.config.descriptions import descriptions
from crankshaft_core.config.fields import interval
from crankshaft_core.config.kinds import KINDS
from crankshaft_core.config.layout import table_models
from crankshaft_core.config.presets import preset_names
from crankshaft_core.config.shapes import is_list, is_table
from crankshaft_core.units import parse_duration, parse_size

__all__ = ["json_schema"]

_ALIASED = {"Http": ("http",), **{model.__name__: () for model in KINDS.values()}}
"""The models whose tables have other names for some fields, and where those tables stand."""

_WRITTEN_SHORT = {"Mount", "Storage"}
"""The models that may be written as one text."""


def json_schema() -> dict[str, Any]:
    """The shape of a Crankshaft.toml (or .json, .yaml), draft 2020-12.

    It is as lax as one source is: a backend may be partial, since other sources add to it.
    """
    definitions = _definitions()
    backend = {"anyOf": [{"$ref": f"#/$defs/{model.__name__}"} for model in KINDS.values()]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Crankshaft.toml",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "$schema": {"type": "string"},
            "default": {"type": "string", "description": "The backend used where none is given."},
            "backends": {
                "description": "The places where work can run.",
                "anyOf": [
                    {"type": "array", "items": {**backend, "required": ["name"]}},
                    {"type": "object", "additionalProperties": backend},
                ],
            },
        },
        "$defs": definitions,
    }


def _definitions() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for model in KINDS.values():
        schema = TypeAdapter(model).json_schema(ref_template="#/$defs/{model}", schema_generator=_Generator)
        found |= schema.pop("$defs", {})
        found[model.__name__] = schema
    for table in table_models():
        name = table.__name__
        if name in found:
            _describe(found[name]["properties"], descriptions(table))
            found[name] = _as_written(found[name], name)
    return found


class _Generator(GenerateJsonSchema):
    """Sizes, durations and lists of one may be text."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        inner = super().function_before_schema(schema)
        function: object = schema["function"]["function"]
        if function is parse_duration:
            return {"type": "string"}
        if function in {parse_size, interval} or inner.get("type") == "array":
            return {"anyOf": [inner, {"type": "string"}]}
        return inner


def _describe(properties: dict[str, Any], texts: Any) -> None:
    for name, schema in properties.items():
        schema.pop("title", None)
        if name in texts:
            schema["description"] = texts[name]


def _as_written(schema: dict[str, Any], name: str) -> dict[str, Any]:
    """What a person may write: partial tables, keys in either spelling, short forms, `extends`."""
    properties = schema["properties"]
    for alias, field in ALIASES[_ALIASED[name]].items() if name in _ALIASED else ():
        properties[alias] = {**properties[field], "description": f"The same as {field}."}
    if name in {model.__name__ for model in KINDS.values()}:
        properties["extends"] = {"type": "string", "description": "The backend to start from."}
    if "preset" in properties:
        properties["preset"]["examples"] = list(preset_names())
    schema.pop("required", None)
    properties = _cleaned(properties)
    schema["properties"] = properties | {key.replace("_", "-"): value for key, value in properties.items()}
    return {"anyOf": [schema, {"type": "string"}]} if name in _WRITTEN_SHORT else schema


def _cleaned(value: Any) -> Any:
    """Without defaults, which are numbers of this machine or null, and without pydantic's own bounds of text."""
    if is_table(value):
        return {key: _cleaned(item) for key, item in value.items() if key not in {"default", "gt", "ge"}}
    return [_cleaned(item) for item in value] if is_list(value) else value
