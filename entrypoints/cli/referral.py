"""`referrals referral`: list, show, approve, reject, roll back and reinstate referrals."""

from typing import Annotated

import typer

from entrypoints.cli.client import QUEUED, QUEUED_MESSAGE, ApiClient, api_path
from entrypoints.cli.options import STATE_HELP, CampaignSlug, JsonOutput, Limit, Reason
from entrypoints.cli.output import print_details, print_json, print_line, print_rows
from entrypoints.cli.reward import REWARD_COLUMNS
from referrals.domain.states import ReferralState

app = typer.Typer(no_args_is_help=True, help="List and review referrals.")

ReferralId = Annotated[str, typer.Argument(metavar="REFERRAL", help="Id of the referral.")]
State = Annotated[ReferralState | None, typer.Option(help=STATE_HELP)]

COLUMNS = {
    "id": "Referral",
    "advocate": "Advocate",
    "friend": "Friend",
    "code": "Code",
    "state": "State",
    "reason": "Reason",
    "created_at": "Created",
}
TIMELINE_COLUMNS = {
    "at": "Time",
    "type": "Event",
    "customer": "Customer",
    "actor": "Actor",
    "reason": "Reason",
}


@app.command("list")
def list_referrals(
    campaign: CampaignSlug, state: State = None, limit: Limit = 100, as_json: JsonOutput = False
) -> None:
    """List the referrals of a campaign."""
    with ApiClient.connect() as client:
        rows = client.rows(api_path("campaigns", campaign, "referrals"), limit, state=state)
    print_rows(rows, COLUMNS, what="such referrals", as_json=as_json)


@app.command()
def show(referral: ReferralId, as_json: JsonOutput = False) -> None:
    """Show a referral with its rewards and timeline."""
    with ApiClient.connect() as client:
        body = client.get(api_path("referrals", referral))
    if as_json:
        print_json(body)
        return
    print_details({k: v for k, v in body.items() if k not in ("rewards", "timeline")})
    print_rows(body["rewards"], REWARD_COLUMNS, what="rewards", as_json=False)
    print_rows(body["timeline"], TIMELINE_COLUMNS, what="entries", as_json=False)


@app.command()
def approve(referral: ReferralId, as_json: JsonOutput = False) -> None:
    """Approve a referral in review, so that its rewards are granted."""
    _change(referral, "approve", {}, as_json)


@app.command()
def reject(referral: ReferralId, reason: Reason, as_json: JsonOutput = False) -> None:
    """Reject a referral in review. No reward is granted."""
    _change(referral, "reject", {"reason": reason}, as_json)


@app.command("roll-back")
def roll_back(referral: ReferralId, reason: Reason, as_json: JsonOutput = False) -> None:
    """Roll back a referral and all of its rewards."""
    _change(referral, "roll-back", {"reason": reason}, as_json)


@app.command()
def reinstate(referral: ReferralId, reason: Reason, as_json: JsonOutput = False) -> None:
    """Let a referral that was rolled back count again, with its rewards."""
    _change(referral, "reinstate", {"reason": reason}, as_json)


def _change(referral: str, action: str, body: dict[str, str], as_json: bool) -> None:
    with ApiClient.connect() as client:
        response = client.post(api_path("referrals", referral, action), body)
    if as_json:
        print_json(response)
    elif response["state"] == QUEUED:
        print_line(QUEUED_MESSAGE)
    else:
        print_line(f"{referral} is {response['state']}.")
