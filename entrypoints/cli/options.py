"""Arguments and options that several commands share."""

from typing import Annotated

import typer

CampaignSlug = Annotated[str, typer.Argument(help="Slug of the campaign.")]
OfCampaign = Annotated[
    str | None, typer.Option("--campaign", metavar="CAMPAIGN", help="Only of this campaign.")
]
CustomerId = Annotated[str, typer.Argument(help="Your id of the customer.")]
JsonOutput = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Limit = Annotated[int, typer.Option(min=1, help="Maximum number of rows to show.")]
Reason = Annotated[str, typer.Option(help="Reason, stored in the activity log.")]
