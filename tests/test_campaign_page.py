"""docs/campaign.md lists every key of the campaign file, every type and every variable, as the models have them."""

from functools import cache

import pytest
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter
from ruamel.yaml import YAML

from referrals.campaign_document import TYPES, document
from referrals.campaign_keys import format_value, sections
from referrals.campaign_schema import campaign_schema
from tests.call_graph import ROOT

KEYS = [(section.model, key) for section in sections() for key in section.keys]


@cache
def schema_of(model):
    """Return the schema of one mapping, which refers to the others."""
    schema = campaign_schema()
    return schema if model == schema["title"] else {**schema, **schema["$defs"][model]}


def titles(part):
    """Yield the titles of the types of values in a schema."""
    if isinstance(part, list):
        for item in part:
            yield from titles(item)
    if isinstance(part, dict):
        if "title" in part and "properties" not in part:
            yield part["title"]
        for key, value in part.items():
            if key not in ("default", "examples"):
                yield from titles(value)


def test_the_page_is_generated():
    assert (ROOT / "docs" / "campaign.md").read_text("utf-8") == document(), "run make docs"


@pytest.mark.parametrize(("model", "key"), KEYS, ids=lambda value: getattr(value, "name", value))
def test_a_key_has_a_description_a_default_and_valid_examples(model, key):
    assert key.description.endswith(".")
    assert key.default
    assert key.examples
    schema = schema_of(model)["properties"][key.name]
    validator = Draft202012Validator({**schema, "$defs": campaign_schema()["$defs"]})
    for example in key.examples:
        line = f"{key.name}: {format_value(example)}"
        assert YAML(typ="safe", pure=True).load(line) == {key.name: example}
        assert list(validator.iter_errors(example)) == []


def test_every_mapping_and_every_type_is_on_the_page():
    schema = campaign_schema()
    documented = [TypeAdapter(kind).json_schema()["title"] for kind in TYPES]

    assert {section.model for section in sections()} == {schema["title"], *schema["$defs"]}
    assert sorted(set(titles({"all": schema["properties"], **schema["$defs"]}))) == sorted(
        documented
    )
