"""`referrals referral …` and `reward …`: what came of them, and what an operator does to one."""

from typing import Annotated

import typer

from entrypoints.cli.client import Api, load_settings, path
from entrypoints.cli.output import Json, Row, print_details, print_json, print_table, say

app = typer.Typer(no_args_is_help=True, help="Referrals: list, show, approve, reject, roll-back.")
rewards = typer.Typer(no_args_is_help=True, help="Rewards: list, retry, void, approve, roll-back.")

Campaign = Annotated[str, typer.Argument(help="The campaign's slug.")]
Id = Annotated[str, typer.Argument(metavar="REFERRAL", help="The referral's id.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept with the referral.")]
State = Annotated[str | None, typer.Option(help="Only those in this state.")]
Limit = Annotated[int, typer.Option(min=1, help="How many to show at most.")]

Chosen = Annotated[list[str] | None, typer.Argument(metavar="REWARD…", help="Rewards' ids.")]
Failed = Annotated[bool, typer.Option("--failed", help="All that are failed.")]
Of = Annotated[str | None, typer.Option(help="With --failed: only of this campaign.")]
EVERY = 1_000_000

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
PARKED = {
    "key": "Key",
    "id": "Reward",
    "customer": "Customer",
    "provider": "Provider",
    "amount": "Amount",
    "attempts": "Attempts",
    "error": "Last error",
    "next_step": "Next step",
}
"""What an operator wants to know of rewards that are not settled."""
TIMELINE = {
    "at": "When",
    "type": "What",
    "customer": "Customer",
    "actor": "By",
    "reason": "Reason",
}


@app.command("list")
def list_referrals(
    campaign: Campaign, state: State = None, limit: Limit = 100, as_json: Json = False
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


@rewards.command("list")
def list_rewards(
    campaign: Annotated[str | None, typer.Argument(help="Only of this campaign.")] = None,
    state: State = None,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """Rewards; of unsettled ones with attempts, the last error and what comes next."""
    with Api.of(load_settings()) as api:
        found = _rewards(api, campaign, state, limit)
    if as_json:
        print_json(found)
    else:
        print_table(
            found, REWARD if state in (None, "granted", "rolled_back", "voided") else PARKED
        )


@rewards.command()
def retry(
    reward: Chosen = None, failed: Failed = False, campaign: Of = None, as_json: Json = False
) -> None:
    """Try failed rewards again: those named, or all of them."""
    _act_on(reward, failed, campaign, "retry", {}, as_json)


@rewards.command()
def void(
    reason: Reason,
    reward: Chosen = None,
    failed: Failed = False,
    campaign: Of = None,
    as_json: Json = False,
) -> None:
    """Give up rewards that were not granted: those named, or all that failed."""
    _act_on(reward, failed, campaign, "void", {"reason": reason}, as_json)


@rewards.command("approve")
def approve_reward(reward: Chosen = None, as_json: Json = False) -> None:
    """Let rewards be granted where their campaign asks for approval."""
    _act_on(reward, False, None, "approve", {}, as_json)


@rewards.command("roll-back")
def roll_back_reward(reason: Reason, reward: Chosen = None, as_json: Json = False) -> None:
    """Take rewards back; their referrals stay as they are."""
    _act_on(reward, False, None, "roll-back", {"reason": reason}, as_json)


def _act_on(
    chosen: list[str] | None,
    failed: bool,
    campaign: str | None,
    action: str,
    body: dict[str, str],
    as_json: bool,
) -> None:
    with Api.of(load_settings()) as api:
        names = chosen or []
        if failed:
            names = [row["id"] for row in _rewards(api, campaign, "failed", EVERY)]
        elif not names:
            raise typer.BadParameter("name rewards, or say --failed")
        answers = [api.post(path("rewards", name, action), body) for name in names]
    if as_json:
        print_json(answers)
    for answer in [] if as_json else answers:
        say(f"{answer['id']} is {answer['state']}.")


def _rewards(api: Api, campaign: str | None, state: str | None, limit: int) -> list[Row]:
    """Of one campaign, or of all."""
    of = [campaign] if campaign else [row["campaign"] for row in api.rows(path("campaigns"), EVERY)]
    found = [
        row
        for name in of
        for row in api.rows(path("campaigns", name, "rewards"), limit, state=state)
    ]
    return found[:limit]


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
    else:
        say(f"{referral} is {answer['state']}.")
