"""The activity log in the terminal: of a campaign or of a customer."""

from entrypoints.cli.client import ApiClient, api_path
from entrypoints.cli.output import JsonObject, print_rows

COLUMNS = {
    "at": "Time",
    "type": "Event",
    "campaign": "Campaign",
    "customer": "Customer",
    "advocate": "Advocate",
    "actor": "Actor",
    "reason": "Reason",
}


def print_activity(
    campaign: str | None, customer: str | None, limit: int, *, as_json: bool
) -> None:
    """Print the newest entries: of one campaign or of all, and of one customer or of all."""
    with ApiClient.connect() as client:
        campaigns = [campaign] if campaign else _campaigns(client)
        found: list[JsonObject] = []
        for slug in campaigns:
            path = api_path("campaigns", slug, "activity")
            found += client.rows(path, limit, customer=customer)
    found.sort(key=lambda entry: int(entry["id"]), reverse=True)
    print_rows(found[:limit], COLUMNS, what="entries", as_json=as_json)


def _campaigns(client: ApiClient) -> list[str]:
    return [row["campaign"] for row in client.rows(api_path("campaigns"))]
