"""Bodies of requests to Voucherify, as its OpenAPI documents describe them."""

from typing import Annotated, Any, Literal

from pydantic import Field

from tests.providers.fake_vendor import Strict


class Identification(Strict):
    type: Literal["customer_source_id"]
    customer_source_id: str


class NewMember(Strict):
    """Body of the reference."""

    customer_id: Annotated[str, Field(pattern="^cust_")]


class NewMemberOfGuide(Strict):
    """Body of the guide to loyalty v2."""

    customer_identification: Identification


class Points(Strict):
    points: int
    reason: Annotated[str, Field(max_length=255)] | None = None


class Customer(Strict):
    source_id: str
    name: str | None = None
    email: str | None = None
    phone: str | None = None


class Campaign(Strict):
    name: str
    count: Annotated[int, Field(ge=1, le=50)] = 1


class Publication(Strict):
    campaign: Campaign
    customer: Customer
    source_id: str | None = None
    channel: str | None = None
    metadata: dict[str, Any] | None = None


class Credit(Strict):
    amount: int
    source_id: str | None = None
    reason: str | None = None


class LegacyPoints(Strict):
    points: int
    expiration_type: Literal["PROGRAM_RULES", "CUSTOM_DATE", "NON_EXPIRING"] | None = None
    expiration_date: str | None = None
    source_id: str | None = None
    reason: str | None = None


class CustomEvent(Strict):
    event: Annotated[str, Field(min_length=1, max_length=300)]
    customer: Customer
    metadata: dict[str, str | int | float | bool] | None = None
