"""Keys of campaign files as people read them: sections, types, defaults and examples, from the JSON Schema."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from referrals.campaign_schema import PUBLIC_NAMES, JsonSchema, campaign_schema

HEADINGS = {
    PUBLIC_NAMES["Campaign"]: "The campaign",
    PUBLIC_NAMES["Reward"]: "A reward",
    "Step": "A step",
}
"""Headings of mappings whose keys are named by themselves. All other mappings are named by their path."""

_PLAIN = re.compile(r"[A-Za-z_/][\w./*+-]*( [\w./*+-]+)*")
_WORDS = {
    "array": "list",
    "boolean": "true or false",
    "integer": "whole number",
    "null": "not supported yet",
    "string": "text",
}


@dataclass(frozen=True)
class Key:
    """One key of a mapping. `examples` are values, the first one to be shown."""

    name: str
    type: str
    default: str
    description: str
    examples: tuple[Any, ...]


@dataclass(frozen=True)
class Section:
    """A mapping of the campaign file with its keys."""

    model: str
    heading: str
    description: str
    keys: tuple[Key, ...]


def sections() -> list[Section]:
    """Return each mapping of the campaign file once, in reading order."""
    schema = campaign_schema()
    return _Reader({PUBLIC_NAMES["Campaign"]: schema} | schema["$defs"]).sections()


def words_of(title: str) -> str:
    """Return the title of a type as words: `TimeOfDay` is "time of day"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", title).lower().replace("url", "URL")


def format_value(value: Any) -> str:
    """Return a value as it is written in a line of YAML."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{format_value(k)}: {format_value(v)}' for k, v in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(format_value, value))}]"
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value):
        return value
    return json.dumps(value) if "'" in value or '"' not in value else f"'{value}'"


class _Reader:
    """Reader of the schemas of the campaign and its parts, by name."""

    def __init__(self, models: dict[str, JsonSchema]) -> None:
        self._models = models
        self._headings: dict[str, str] = {}
        self._name_mappings(PUBLIC_NAMES["Campaign"], "")

    def sections(self) -> list[Section]:
        return [
            Section(name, heading, self._models[name]["description"], tuple(self._keys(name)))
            for name, heading in self._headings.items()
        ]

    def _name_mappings(self, name: str, path: str) -> None:
        if name in self._headings:
            return
        self._headings[name] = HEADINGS.get(name, f"`{path}`")
        parent = "" if name in HEADINGS else f"{path}."
        for key, schema in self._models[name]["properties"].items():
            suffix = "[]" if schema.get("type") == "array" else ""
            for mapping in _mappings_in(schema):
                self._name_mappings(mapping, f"{parent}{key}{suffix}")

    def _keys(self, name: str) -> Iterator[Key]:
        model = self._models[name]
        for key, schema in model["properties"].items():
            required = key in model.get("required", ())
            default = "required" if required else _default(model, schema)
            examples = tuple(_examples(schema))
            yield Key(key, self._type(schema), default, self._description(schema), examples)

    def _description(self, schema: JsonSchema) -> str:
        """Return the description of a key, or else of its mapping."""
        if "description" not in schema and "$ref" in schema:
            schema = self._models[_name(schema)]
        return str(schema["description"])

    def _type(self, schema: JsonSchema) -> str:
        if "$ref" in schema:
            return f"[mapping](#{anchor(self._headings[_name(schema)])})"
        if "title" in schema:
            return f"[{words_of(schema['title'])}](#types)"
        if "anyOf" in schema:
            return " or ".join(map(self._type, _without_null(schema)))
        if values := schema.get("enum", [schema["const"]] if "const" in schema else []):
            return " or ".join(f"`{format_value(value)}`" for value in values)
        return self._type_of_many(schema)

    def _type_of_many(self, schema: JsonSchema) -> str:
        if "items" in schema:
            most = f", at most {schema['maxItems']}" if "maxItems" in schema else ""
            return f"list of {self._type(schema['items'])}{most}"
        if "additionalProperties" in schema:
            key, value = schema["propertyNames"], schema["additionalProperties"]
            return f"mapping of {self._type(key)} to {self._type(value)}"
        return _WORDS[schema["type"]]


def anchor(heading: str) -> str:
    """Return the anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _name(reference: JsonSchema) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def _without_null(schema: JsonSchema) -> list[JsonSchema]:
    return [part for part in schema["anyOf"] if part.get("type") != "null"]


def _mappings_in(schema: JsonSchema) -> Iterator[str]:
    if "$ref" in schema:
        yield _name(schema)
    for part in [*schema.get("anyOf", ()), *filter(None, [schema.get("items")])]:
        yield from _mappings_in(part)


def _default(model: JsonSchema, schema: JsonSchema) -> str:
    if "default" not in schema:
        return "one of these" if model.get("maxProperties") == 1 else "depends"
    if schema["default"] in (None, [], {}):
        return "none"
    if "$ref" in schema:
        return "its defaults"
    return f"`{format_value(schema['default'])}`"


def _examples(schema: JsonSchema) -> Iterator[Any]:
    """Yield the examples of a key, or else of its type, or else a value that is not the default."""
    if "examples" in schema:
        yield from schema["examples"]
        return
    if "enum" in schema or "const" in schema:
        values = schema.get("enum") or [schema["const"]]
        yield from (value for value in reversed(values) if value != schema.get("default"))
    elif schema.get("type") == "boolean":
        yield not schema.get("default")
    for part in _without_null(schema) if "anyOf" in schema else ():
        yield from _examples(part)
    if "items" in schema:
        yield from ([example] for example in _examples(schema["items"]))
