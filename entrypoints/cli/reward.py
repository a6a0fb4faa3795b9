"""`referrals reward …`: what was given, what is parked, and what an operator does about it."""

from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import typer

from entrypoints.cli.client import Api, load_settings, path
from entrypoints.cli.output import Failure, Json, Row, print_json, print_table, say
from entrypoints.cli.referral import REWARD, Limit, Reason, State

app = typer.Typer(no_args_is_help=True, help="Rewards: list, retry, void, approve, roll-back.")

Chosen = Annotated[list[str] | None, typer.Argument(metavar="REWARD…", help="Rewards' ids.")]
Failed = Annotated[bool, typer.Option("--failed", help="The same as --state failed.")]
Of = Annotated[str | None, typer.Option(help="Only of this campaign.")]
Customer = Annotated[str | None, typer.Option(help="Only of this customer.")]
By = Annotated[str | None, typer.Option(help="Only those issued there, such as ledger.")]
Side = Annotated[Literal["friend", "advocate"] | None, typer.Option(help="Only of this side.")]
Error = Annotated[str | None, typer.Option(help="Only with this error, such as pool_empty.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, however many they are.")]
EVERY = 1_000_000

PARKED = {
    "reward": "Key and id",
    "customer": "Customer",
    "provider": "Provider",
    "attempts": "Tries",
    "error": "Last error",
    "next_step": "Next step",
}
"""What an operator wants to know of rewards that are not settled."""


@dataclass(frozen=True)
class Filter:
    """Rewards in one state, of one campaign or of all, narrowed further."""

    campaign: str | None
    state: str | None
    customer: str | None = None
    provider: str | None = None
    side: str | None = None
    error: str | None = None

    @property
    def params(self) -> dict[str, str]:
        named = vars(self).items()
        return {key: value for key, value in named if value and key != "campaign"}

    def rows(self, api: Api, limit: int) -> dict[str, list[Row]]:
        """What it finds, by campaign."""
        names = [self.campaign] if self.campaign else _campaigns(api)
        found: dict[str, list[Row]] = {}
        for name in names:
            left = limit - sum(map(len, found.values()))
            found[name] = api.rows(path("campaigns", name, "rewards"), left, **self.params)
        return found


def _campaigns(api: Api) -> list[str]:
    return [row["campaign"] for row in api.rows(path("campaigns"), EVERY)]


@app.command("list")
def list_rewards(
    campaign: Annotated[str | None, typer.Argument(help="Only of this campaign.")] = None,
    state: State = None,
    customer: Customer = None,
    provider: By = None,
    side: Side = None,
    error: Error = None,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """Rewards; of unsettled ones with attempts, the last error and what comes next."""
    wanted = Filter(campaign, state, customer, provider, side, error)
    with Api.of(load_settings()) as api:
        found = [row for rows in wanted.rows(api, limit).values() for row in rows]
    if as_json:
        print_json(found)
    elif state in (None, "granted", "rolled_back", "voided"):
        print_table(found, REWARD)
    else:
        told = [{**row, "reward": (row.get("key"), row["id"])} for row in found]
        print_table(told, PARKED, lines=True)


def _without_reason(action: str, help_: str) -> None:
    def act(
        reward: Chosen = None,
        campaign: Of = None,
        state: State = None,
        failed: Failed = False,
        customer: Customer = None,
        provider: By = None,
        side: Side = None,
        error: Error = None,
        yes: Yes = False,
        as_json: Json = False,
    ) -> None:
        wanted = Filter(campaign, "failed" if failed else state, customer, provider, side, error)
        _act(action, {}, reward or [], wanted, yes=yes, as_json=as_json)

    app.command(action, help=help_)(act)


def _with_reason(action: str, help_: str) -> None:
    def act(
        reason: Reason,
        reward: Chosen = None,
        campaign: Of = None,
        state: State = None,
        failed: Failed = False,
        customer: Customer = None,
        provider: By = None,
        side: Side = None,
        error: Error = None,
        yes: Yes = False,
        as_json: Json = False,
    ) -> None:
        wanted = Filter(campaign, "failed" if failed else state, customer, provider, side, error)
        _act(action, {"reason": reason}, reward or [], wanted, yes=yes, as_json=as_json)

    app.command(action, help=help_)(act)


CHOOSE = "those named, or all in a --state that the other options narrow."
_without_reason("retry", f"Try failed rewards again: {CHOOSE}")
_without_reason("approve", f"Let pending rewards be granted where approval is asked for: {CHOOSE}")
_with_reason("void", f"Give up rewards that were not granted: {CHOOSE}")
_with_reason("roll-back", f"Take granted rewards back, but not their referrals: {CHOOSE}")


def _act(
    action: str, body: Row, names: list[str], wanted: Filter, *, yes: bool, as_json: bool
) -> None:
    """Do it, and tell of each and in sum. Exit code 1 where one was refused."""
    if bool(names) == bool(wanted.state):
        raise typer.BadParameter("name rewards, or say which with --state, but not both")
    with Api.of(load_settings()) as api:
        outcomes = (_to_one(api, name, action, body) for name in names)
        if not names:
            outcomes = _to_all(api, wanted, action, body, yes=yes, as_json=as_json)
        told = []
        for outcome in outcomes:
            told.append(outcome)
            if not as_json:
                say(_sentence(outcome))
    sums = Counter(outcome["outcome"] for outcome in told)
    if as_json:
        print_json({key: sums[key] for key in ("done", "queued", "refused")} | {"rewards": told})
    elif len(told) != 1:
        say(f"{sums['done']} done, {sums['queued']} queued, {sums['refused']} refused.")
    if sums["refused"]:
        raise typer.Exit(1)


def _to_one(api: Api, name: str, action: str, body: Row) -> Row:
    try:
        answer = api.post(path("rewards", name, action), body)
    except Failure as failure:
        if not failure.problem or failure.problem["status"] not in (404, 409):
            raise
        return {"id": name, "outcome": "refused", "state": None, "detail": str(failure)}
    outcome = "queued" if answer["state"] == "queued" else "done"
    return {"id": name, "outcome": outcome, "state": answer["state"], "detail": None}


def _to_all(
    api: Api, wanted: Filter, action: str, body: Row, *, yes: bool, as_json: bool
) -> Generator[Row, None, None]:
    found = {name: len(rows) for name, rows in wanted.rows(api, EVERY).items() if rows}
    if (many := sum(found.values())) > 1 and not yes:
        if as_json:
            raise typer.BadParameter(f"these are {many} rewards: say --yes")
        typer.confirm(f"{action} {many} rewards of {', '.join(found)}?", abort=True, err=True)
    for name in found:
        params: dict[str, Any] = wanted.params
        while True:
            where = path("campaigns", name, "rewards", action)
            page = api.call("POST", where, params=params, json=body)
            yield from page["data"]
            if page["next"] is None:
                break
            params = wanted.params | {"after": page["next"]}


def _sentence(outcome: Row) -> str:
    match outcome["outcome"]:
        case "refused":
            return f"{outcome['id']} is left as it is: {outcome['detail']}"
        case "queued":
            return f"{outcome['id']} is queued: it is done later, once."
    return f"{outcome['id']} is {outcome['state']}."
