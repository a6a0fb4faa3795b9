"""Arguments and options that several commands share."""

from typing import Annotated

import typer

from referrals.domain.failure_causes import FailureCause

CampaignSlug = Annotated[str, typer.Argument(help="Slug of the campaign.")]
OfCustomer = Annotated[
    str | None, typer.Option("--customer", metavar="CUSTOMER", help="Only of this customer.")
]
OfCampaign = Annotated[
    str | None, typer.Option("--campaign", metavar="CAMPAIGN", help="Only of this campaign.")
]
STATE_HELP = "Only those in this state."
"""Help of `--state`, whose values differ by command."""
OfCause = Annotated[
    FailureCause | None,
    typer.Option(
        "--cause", help="Only those whose last error has this cause, such as credentials."
    ),
]
Failed = Annotated[bool, typer.Option("--failed", help="Those that failed.")]
CustomerId = Annotated[str, typer.Argument(help="Your id of the customer.")]
JsonOutput = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Limit = Annotated[int, typer.Option(min=1, help="Maximum number of rows to show.")]
Reason = Annotated[str, typer.Option(help="Reason, stored and shown with what it changes.")]
