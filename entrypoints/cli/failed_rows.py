"""Commands that retry or drop rows that failed: those of the given ids, or all failed ones."""

import typer

from entrypoints.cli.client import ApiClient, api_path
from entrypoints.cli.errors import CommandError
from entrypoints.cli.output import print_json, print_line


def change_failed(
    path: str,
    action: str,
    ids: list[str] | None,
    *,
    failed: bool,
    campaign: str | None,
    as_json: bool,
) -> None:
    """Retry or drop rows of the list under `/v1/{path}`, and print each. Exit code 1 if any was refused."""
    if bool(ids) == failed:
        raise typer.BadParameter("give either ids or --failed")
    with ApiClient.connect() as client:
        if failed:
            found = client.rows(api_path(path), state="failed", campaign=campaign)
            ids = [row["id"] for row in found]
        outcomes = [_change_one(client, path, action, row_id) for row_id in ids or []]
    if as_json:
        print_json(outcomes)
    for outcome in outcomes if not as_json else ():
        refusal = outcome.get("detail")
        state = f"is unchanged: {refusal}" if refusal else f"is {outcome['state']}."
        print_line(f"{outcome['id']} {state}")
    if not outcomes and not as_json:
        print_line("Nothing has failed.")
    if any(outcome.get("detail") for outcome in outcomes):
        raise typer.Exit(1)


def _change_one(client: ApiClient, path: str, action: str, row_id: str) -> dict[str, str | None]:
    try:
        changed = client.post(api_path(path, row_id, action))
    except CommandError as error:
        if not error.problem or error.problem.get("status") not in (404, 409):
            raise
        return {"id": row_id, "state": None, "detail": str(error)}
    return {"id": row_id, "state": changed["state"], "detail": None}
