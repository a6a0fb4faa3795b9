"""`referrals reward`: list, retry, approve, void and roll back rewards."""

from collections import Counter
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import typer

from entrypoints.cli.client import QUEUED, ApiClient, api_path
from entrypoints.cli.errors import CommandError
from entrypoints.cli.options import (
    STATE_HELP,
    Failed,
    JsonOutput,
    Limit,
    OfCampaign,
    OfCause,
    OfCustomer,
    Reason,
)
from entrypoints.cli.output import JsonObject, print_json, print_line, print_rows
from referrals.domain.failure_causes import FailureCause
from referrals.domain.states import RewardState

app = typer.Typer(no_args_is_help=True, help="List rewards and handle failed ones.")

RewardIds = Annotated[
    list[str] | None, typer.Argument(metavar="REWARD…", help="Ids of the rewards.")
]
OptionalCampaign = Annotated[str | None, typer.Argument(help="Slug of the campaign.")]
State = Annotated[RewardState | None, typer.Option(help=STATE_HELP)]
Provider = Annotated[
    str | None, typer.Option(help="Only rewards of this provider, such as ledger.")
]
Side = Annotated[
    Literal["friend", "advocate"] | None, typer.Option(help="Only rewards for this side.")
]
Error = Annotated[
    str | None, typer.Option(help="Only rewards that failed with this error, such as pool_empty.")
]
AwaitingApproval = Annotated[
    bool,
    typer.Option("--awaiting-approval", help="Only rewards that are due and need an approval."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]

REWARD_COLUMNS = {
    "id": "Reward",
    "customer": "Customer",
    "side": "Side",
    "type": "Type",
    "amount": "Amount",
    "currency": "Currency",
    "state": "State",
    "due_at": "Due",
}
UNFINISHED_COLUMNS = {
    "key_and_id": "Key and id",
    "customer": "Customer",
    "provider": "Provider",
    "attempts": "Attempts",
    "cause": "Cause",
    "error": "Last error",
    "next_step": "Next step",
}
FINAL_STATES = ("granted", "rolled_back", "voided")
SELECTION_HELP = "Select rewards by id, or by --state and the other options."


@dataclass(frozen=True)
class RewardFilter:
    """Selection of rewards of one campaign, or of all campaigns."""

    campaign: str | None
    state: str | None
    customer: str | None = None
    provider: str | None = None
    side: str | None = None
    error: str | None = None
    cause: FailureCause | None = None
    awaiting_approval: bool = False

    @property
    def params(self) -> dict[str, str]:
        """Query parameters."""
        given = {key: value for key, value in vars(self).items() if value and key != "campaign"}
        return given | ({"awaiting_approval": "true"} if self.awaiting_approval else {})

    def find(self, client: ApiClient, limit: int | None = None) -> dict[str, list[JsonObject]]:
        """Return up to `limit` matching rewards, or all, by campaign."""
        campaigns = [self.campaign] if self.campaign else _campaigns(client)
        found: dict[str, list[JsonObject]] = {}
        for campaign in campaigns:
            remaining = None if limit is None else limit - sum(map(len, found.values()))
            path = api_path("campaigns", campaign, "rewards")
            found[campaign] = client.rows(path, remaining, **self.params)
        return found


def _campaigns(client: ApiClient) -> list[str]:
    return [row["campaign"] for row in client.rows(api_path("campaigns"))]


@app.command("list")
def list_rewards(
    campaign: OptionalCampaign = None,
    state: State = None,
    customer: OfCustomer = None,
    provider: Provider = None,
    side: Side = None,
    error: Error = None,
    cause: OfCause = None,
    awaiting_approval: AwaitingApproval = False,
    limit: Limit = 100,
    as_json: JsonOutput = False,
) -> None:
    """List the rewards of a campaign, or of all campaigns.

    With --awaiting-approval, --state failed or another unfinished state, show attempts, the last error and the next step.
    """
    state = _state(state, failed=False, awaiting_approval=awaiting_approval)
    selected = RewardFilter(
        campaign, state, customer, provider, side, error, cause, awaiting_approval
    )
    with ApiClient.connect() as client:
        found = [row for rows in selected.find(client, limit).values() for row in rows]
    if as_json or state in (None, *FINAL_STATES):
        print_rows(found, REWARD_COLUMNS, what="such rewards", as_json=as_json)
    else:
        rows = [{**row, "key_and_id": (row.get("key"), row["id"])} for row in found]
        print_rows(rows, UNFINISHED_COLUMNS, what="such rewards", as_json=False, ruled=True)


def _state(
    state: RewardState | None, *, failed: bool, awaiting_approval: bool
) -> RewardState | None:
    """Return the state, or that of the flag `--failed` or `--awaiting-approval`."""
    if failed:
        return RewardState.FAILED
    return RewardState.PENDING if awaiting_approval and state is None else state


def _add_command(action: str, help_: str) -> None:
    def command(
        reward: RewardIds = None,
        campaign: OfCampaign = None,
        state: State = None,
        failed: Failed = False,
        customer: OfCustomer = None,
        provider: Provider = None,
        side: Side = None,
        error: Error = None,
        cause: OfCause = None,
        awaiting_approval: AwaitingApproval = False,
        yes: Yes = False,
        as_json: JsonOutput = False,
    ) -> None:
        state_or_flag = _state(state, failed=failed, awaiting_approval=awaiting_approval)
        selected = RewardFilter(
            campaign, state_or_flag, customer, provider, side, error, cause, awaiting_approval
        )
        _change(action, {}, reward or [], selected, yes=yes, as_json=as_json)

    app.command(action, help=f"{help_}\n\n{SELECTION_HELP}")(command)


def _add_command_with_reason(action: str, help_: str) -> None:
    def command(
        reason: Reason,
        reward: RewardIds = None,
        campaign: OfCampaign = None,
        state: State = None,
        failed: Failed = False,
        customer: OfCustomer = None,
        provider: Provider = None,
        side: Side = None,
        error: Error = None,
        cause: OfCause = None,
        awaiting_approval: AwaitingApproval = False,
        yes: Yes = False,
        as_json: JsonOutput = False,
    ) -> None:
        state_or_flag = _state(state, failed=failed, awaiting_approval=awaiting_approval)
        selected = RewardFilter(
            campaign, state_or_flag, customer, provider, side, error, cause, awaiting_approval
        )
        _change(action, {"reason": reason}, reward or [], selected, yes=yes, as_json=as_json)

    app.command(action, help=f"{help_}\n\n{SELECTION_HELP}")(command)


_add_command("retry", "Retry failed rewards, such as all of one cause once it is corrected.")
_add_command("approve", "Approve pending rewards that require approval.")
_add_command_with_reason("void", "Void rewards that were not granted.")
_add_command_with_reason("roll-back", "Roll back granted rewards, but not their referrals.")


def _change(
    action: str,
    body: JsonObject,
    ids: list[str],
    selected: RewardFilter,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    """Change the rewards and print each outcome and the totals. Exit code 1 if any was rejected."""
    if bool(ids) == bool(selected.state):
        raise typer.BadParameter("give either reward ids or --state")
    with ApiClient.connect() as client:
        outcomes: Iterable[JsonObject] = (_change_one(client, id_, action, body) for id_ in ids)
        if not ids:
            outcomes = _change_selected(client, selected, action, body, yes=yes, as_json=as_json)
        done = [_print_outcome(outcome, as_json) for outcome in outcomes]
    totals = Counter(outcome["outcome"] for outcome in done)
    if as_json:
        print_json({key: totals[key] for key in ("done", "queued", "refused")} | {"rewards": done})
    elif len(done) != 1:
        print_line(
            f"{totals['done']} done, {totals['queued']} queued, {totals['refused']} refused."
        )
    if totals["refused"]:
        raise typer.Exit(1)


def _change_one(client: ApiClient, reward: str, action: str, body: JsonObject) -> JsonObject:
    try:
        answer = client.post(api_path("rewards", reward, action), body)
    except CommandError as error:
        if not error.problem or error.problem["status"] not in (404, 409):
            raise
        return {"id": reward, "outcome": "refused", "state": None, "detail": str(error)}
    outcome = "queued" if answer["state"] == QUEUED else "done"
    return {"id": reward, "outcome": outcome, "state": answer["state"], "detail": None}


def _change_selected(
    client: ApiClient,
    selected: RewardFilter,
    action: str,
    body: JsonObject,
    *,
    yes: bool,
    as_json: bool,
) -> Generator[JsonObject, None, None]:
    counts = {campaign: len(rows) for campaign, rows in selected.find(client).items() if rows}
    if (total := sum(counts.values())) > 1 and not yes:
        if as_json:
            raise typer.BadParameter(f"{total} rewards are selected: confirm with --yes")
        typer.confirm(f"{action} {total} rewards of {', '.join(counts)}?", abort=True, err=True)
    for campaign in counts:
        path = api_path("campaigns", campaign, "rewards", action)
        params: dict[str, Any] = selected.params
        while True:
            page = client.request("POST", path, params=params, json=body)
            yield from page["data"]
            if page["next"] is None:
                break
            params = selected.params | {"after": page["next"]}


def _print_outcome(outcome: JsonObject, as_json: bool) -> JsonObject:
    if not as_json:
        print_line(_describe_outcome(outcome))
    return outcome


def _describe_outcome(outcome: JsonObject) -> str:
    match outcome["outcome"]:
        case "refused":
            return f"{outcome['id']} is unchanged: {outcome['detail']}"
        case "queued":
            return f"{outcome['id']} is queued and will be processed once."
    return f"{outcome['id']} is {outcome['state']}."
