"""`referrals referral …`: what came of them, and what an operator does to one."""

from typing import Annotated

import typer

from entrypoints.cli.client import QUEUED, Api, load_settings, path
from entrypoints.cli.output import Json, print_details, print_json, print_table, say
from referrals.domain.states import ReferralState, RewardState

app = typer.Typer(no_args_is_help=True, help="Referrals: list, show, approve, reject, roll-back.")

Campaign = Annotated[str, typer.Argument(help="The campaign's slug.")]
Id = Annotated[str, typer.Argument(metavar="REFERRAL", help="The referral's id.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept with the referral.")]
IN_STATE = typer.Option(help="Only those in this state.")
State = Annotated[RewardState | None, IN_STATE]
Limit = Annotated[int, typer.Option(min=1, help="How many to show at most.")]


REFERRAL = {
    "id": "Referral",
    "advocate": "Advocate",
    "friend": "Friend",
    "code": "Code",
    "state": "State",
    "reason": "Reason",
    "created_at": "Since",
}
REWARD = {
    "id": "Reward",
    "customer": "Customer",
    "side": "Side",
    "type": "Type",
    "amount": "Amount",
    "currency": "Currency",
    "state": "State",
    "due_at": "Due",
}
TIMELINE = {
    "at": "When",
    "type": "What",
    "customer": "Customer",
    "actor": "By",
    "reason": "Reason",
}


@app.command("list")
def list_referrals(
    campaign: Campaign,
    state: Annotated[ReferralState | None, IN_STATE] = None,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """The referrals of a campaign."""
    _list(path("campaigns", campaign, "referrals"), REFERRAL, as_json, state=state, limit=limit)


@app.command()
def show(referral: Id, as_json: Json = False) -> None:
    """One referral, with its decisions and rewards."""
    with Api.of(load_settings()) as api:
        answer = api.get(path("referrals", referral))
    if as_json:
        print_json(answer)
        return
    print_details({k: v for k, v in answer.items() if k not in ("rewards", "timeline")})
    print_table(answer["rewards"], REWARD)
    print_table(answer["timeline"], TIMELINE)


@app.command()
def approve(referral: Id, as_json: Json = False) -> None:
    """Let a referral in review go on to its rewards."""
    _act(referral, "approve", {}, as_json)


@app.command()
def reject(referral: Id, reason: Reason, as_json: Json = False) -> None:
    """Refuse a referral in review; nothing is paid."""
    _act(referral, "reject", {"reason": reason}, as_json)


@app.command("roll-back")
def roll_back(referral: Id, reason: Reason, as_json: Json = False) -> None:
    """Take a referral back, with all that was granted for it."""
    _act(referral, "roll-back", {"reason": reason}, as_json)


def _list(
    where: str, columns: dict[str, str], as_json: bool, *, state: str | None, limit: int
) -> None:
    with Api.of(load_settings()) as api:
        rows = api.rows(where, limit, state=state)
    if as_json:
        print_json(rows)
    else:
        print_table(rows, columns)


def _act(referral: str, action: str, body: dict[str, str], as_json: bool) -> None:
    with Api.of(load_settings()) as api:
        answer = api.post(path("referrals", referral, action), body)
    if as_json:
        print_json(answer)
    elif answer["state"] == QUEUED:
        say("The command is queued: it is kept and done later, once.")
    else:
        say(f"{referral} is {answer['state']}.")
