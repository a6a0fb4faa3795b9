"""`referrals publish`: give a customer a referral code."""

from collections.abc import Mapping
from typing import Annotated

import typer

from entrypoints.cli.client import QUEUED, QUEUED_MESSAGE, ApiClient, api_path
from entrypoints.cli.errors import CommandError
from entrypoints.cli.options import CampaignSlug, CustomerId, JsonOutput
from entrypoints.cli.output import print_details, print_json

QUEUED_HINT = (
    "Run the same command again later to get the code. "
    "In a campaign with `join_once: false` that publishes a second code."
)


def publish(
    campaign: CampaignSlug,
    customer: CustomerId,
    *,
    email: Annotated[str | None, typer.Option(help="Email address.")] = None,
    phone: Annotated[str | None, typer.Option(help="Phone number, such as +4930….")] = None,
    name: Annotated[str | None, typer.Option(help="Name, used in messages.")] = None,
    locale: Annotated[str | None, typer.Option(help="Language tag, such as de or pt-BR.")] = None,
    channel: Annotated[str | None, typer.Option(help="Channel that delivers the code.")] = None,
    code: Annotated[str | None, typer.Option(help="Use this code instead of a new one.")] = None,
    as_json: JsonOutput = False,
) -> None:
    """Give a customer a referral code, which makes them an advocate of the campaign.

    Exit code 1 if the request is queued, because there is no code yet.
    """
    profile = {"id": customer, "email": email, "phone": phone, "name": name, "locale": locale}
    body = {"customer": _without_none(profile), "channel": channel, "code": code}
    with ApiClient.connect() as client:
        publication = client.post(
            api_path("campaigns", campaign, "publications"), _without_none(body)
        )
    if publication.get("state") == QUEUED:
        raise CommandError(QUEUED_MESSAGE, [QUEUED_HINT], publication)
    (print_json if as_json else print_details)(publication)


def _without_none(values: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in values.items() if value is not None}
