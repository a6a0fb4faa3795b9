"""`referrals reward …`: what was given, what is parked, and what an operator does about it."""

from typing import Annotated

import typer

from entrypoints.cli.client import Api, load_settings, path
from entrypoints.cli.output import Json, Row, print_json, print_table, say
from entrypoints.cli.referral import REWARD, Limit, Reason, State

app = typer.Typer(no_args_is_help=True, help="Rewards: list, retry, void, approve, roll-back.")

Chosen = Annotated[list[str] | None, typer.Argument(metavar="REWARD…", help="Rewards' ids.")]
Failed = Annotated[bool, typer.Option("--failed", help="All that are failed.")]
Of = Annotated[str | None, typer.Option(help="With --failed: only of this campaign.")]
EVERY = 1_000_000

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


@app.command("list")
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


@app.command()
def retry(
    reward: Chosen = None, failed: Failed = False, campaign: Of = None, as_json: Json = False
) -> None:
    """Try failed rewards again: those named, or all of them."""
    _act_on(reward, failed, campaign, "retry", {}, as_json)


@app.command()
def void(
    reason: Reason,
    reward: Chosen = None,
    failed: Failed = False,
    campaign: Of = None,
    as_json: Json = False,
) -> None:
    """Give up rewards that were not granted: those named, or all that failed."""
    _act_on(reward, failed, campaign, "void", {"reason": reason}, as_json)


@app.command("approve")
def approve_reward(reward: Chosen = None, as_json: Json = False) -> None:
    """Let rewards be granted where their campaign asks for approval."""
    _act_on(reward, False, None, "approve", {}, as_json)


@app.command("roll-back")
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
        return
    for name, answer in zip(names, answers, strict=True):
        say(f"{name} is {answer['state']}.")


def _rewards(api: Api, campaign: str | None, state: str | None, limit: int) -> list[Row]:
    """Of one campaign, or of all."""
    of = [campaign] if campaign else [row["campaign"] for row in api.rows(path("campaigns"), EVERY)]
    found = [
        row
        for name in of
        for row in api.rows(path("campaigns", name, "rewards"), limit, state=state)
    ]
    return found[:limit]
