"""How what travels to Temporal is written: pydantic models as JSON, refused cleanly where they do not fit."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticPayloadConverter, pydantic_data_converter
from temporalio.converter import create_payload_validation_error


class CleanPayloadConverter(PydanticPayloadConverter):
    """A payload that does not fit fails its run cleanly; by default the run would try it again for ever."""

    def from_payloads(
        self, payloads: Sequence[Payload], type_hints: list[type] | None = None
    ) -> list[Any]:
        try:
            return super().from_payloads(payloads, type_hints)
        except ValidationError as error:
            details = error.errors(include_input=False, include_url=False, include_context=False)
            raise create_payload_validation_error(details) from error


DATA_CONVERTER = replace(pydantic_data_converter, payload_converter_class=CleanPayloadConverter)
