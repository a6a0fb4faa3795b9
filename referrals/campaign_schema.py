"""JSON Schema of campaign files, for editors and the API."""

from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from referrals.domain.campaign import Campaign

JsonSchema = dict[str, Any]

PUBLIC_NAMES = {"Campaign": "CampaignDefinition", "Reward": "RewardDefinition"}
"""Names of models that the API uses for what is stored, and their names in schemas."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class CampaignSchemaGenerator(GenerateJsonSchema):
    """A generator by which only types have titles, and keys of mappings are checked."""

    def field_title_should_be_set(self, _: Any) -> bool:
        return False

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:  # noqa: ARG002
        """Keep the order in which the models have their keys, and examples theirs."""
        return value

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        mapping = {
            "type": "object",
            "propertyNames": self.generate_inner(schema["keys_schema"]),
            "additionalProperties": self.generate_inner(schema["values_schema"]),
        }
        self.update_with_validations(mapping, schema, self.ValidationsMapping.object)
        return mapping


def campaign_schema() -> JsonSchema:
    """Return the schema of a campaign file. What it refuses, the parser refuses too; the parser checks more."""
    components = campaign_components("#/$defs/{model}")
    campaign = components.pop(PUBLIC_NAMES["Campaign"])
    return {"$schema": DIALECT, **campaign, "$defs": components}


def campaign_components(ref_template: str) -> dict[str, JsonSchema]:
    """Return the schemas of a campaign and of all its parts by name, which refer to each other by the template."""
    _, schema = models_json_schema(
        [(Campaign, "validation")],
        ref_template=ref_template,
        schema_generator=CampaignSchemaGenerator,
    )
    public = {
        ref_template.format(model=name): ref_template.format(model=public_name)
        for name, public_name in PUBLIC_NAMES.items()
    }
    return {
        PUBLIC_NAMES.get(name, name): _published(component, public)
        | {"title": PUBLIC_NAMES.get(name, name)}
        for name, component in schema["$defs"].items()
    }


def _published(part: Any, references: Mapping[str, str]) -> Any:
    """Return a part of a schema with public references, and descriptions without the line breaks of docstrings."""
    if isinstance(part, list):
        return [_published(item, references) for item in part]
    if not isinstance(part, Mapping):
        return references.get(part, part) if isinstance(part, str) else part
    return {
        key: " ".join(value.split())
        if key == "description" and isinstance(value, str)
        else _published(value, references)
        for key, value in part.items()
    }
