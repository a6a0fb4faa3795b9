"""Serialization of payloads: pydantic models as JSON."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import DataConverter, create_payload_validation_error


class ValidatingPayloadConverter(PydanticPayloadConverter):
    """Fails a workflow whose payload does not match its model. By default the workflow task would be retried forever."""

    def from_payloads(
        self, payloads: Sequence[Payload], type_hints: list[type] | None = None
    ) -> list[Any]:
        try:
            return super().from_payloads(payloads, type_hints)
        except ValidationError as error:
            details = error.errors(include_input=False, include_url=False, include_context=False)
            raise create_payload_validation_error(details) from error


def with_payload_converter(converter: DataConverter | None = None) -> DataConverter:
    """Return the data converter with the engine's payload converter; its codec and failure converter stay."""
    return replace(
        converter or DataConverter.default, payload_converter_class=ValidatingPayloadConverter
    )
