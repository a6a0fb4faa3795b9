"""Write docs/schema.md from the tables: `python -m referrals.store.schema.document`."""

import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path

from sqlalchemy import Column, Table, make_url

from referrals.store.schema import metadata

FILE = Path("docs/schema.md")
POSTGRESQL = make_url("postgresql+asyncpg://").get_dialect()()
CAPABILITIES = {
    "Campaigns, codes and customers": (
        "campaigns campaign_versions customers contacts customer_merges consents advocates codes "
        "shares clicks omitted_clicks"
    ),
    "Events and activity": "inbox_events orders activity",
    "Referrals and rewards": (
        "referrals milestones rewards coupons coupon_redemptions provider_rate_limits ledger_accounts ledger_entries"
    ),
    "Messages": "messages message_deliveries suppressions channel_suspensions",
    "Journeys": "journey_entries journey_runs workflow_starts tracked_events",
    "Webhooks and access": "webhooks webhook_deliveries api_keys refusals",
}
"""Tables by capability, in the order of the page."""

INTRODUCTION = """# Database schema

All tables of the engine, on SQLite and on PostgreSQL. This page is generated from `referrals/store/schema/` by `make docs`; do not edit it.

Times are UTC. Amounts are integers in minor units (a point is its own unit). Ids begin with the kind of row (`cus_`, `adv_`, `ref_`, …) and sort
by creation. The tables `activity`, `campaign_versions` and `ledger_entries` are append-only: triggers reject updates and deletes.
"""


def main() -> None:
    """Write the page."""
    FILE.write_text(document())


def document() -> str:
    """Return the page as Markdown."""
    return "\n".join([INTRODUCTION, "## Relations", "", *_diagram(), *_capabilities()]) + "\n"


def _diagram() -> Iterator[str]:
    """One line per foreign key: the referenced table, how many rows refer to it, and the column."""
    yield from ("```mermaid", "erDiagram")
    for table in metadata.sorted_tables:
        for constraint in sorted(
            table.foreign_key_constraints, key=lambda key: tuple(key.column_keys)
        ):
            columns = [table.c[name] for name in constraint.column_keys]
            optional = any(column.nullable for column in columns)
            names = ", ".join(constraint.column_keys)
            one = "|o" if optional else "||"
            yield f'    {constraint.referred_table.name} {one}--o{{ {table.name} : "{names}"'
    yield "```"


def _capabilities() -> Iterator[str]:
    for title, names in CAPABILITIES.items():
        yield from ("", f"## {title}")
        for name in names.split():
            yield from _table(metadata.tables[name])


def _table(table: Table) -> Iterator[str]:
    yield from ("", f"### {table.name}", "", str(inspect.getdoc(table.info["row"])), "")
    yield from ("| column | type | null | |", "| --- | --- | --- | --- |")
    for column in table.c:
        null = "yes" if column.nullable else ""
        yield f"| `{column.name}` | {_type(column)} | {null} | {' '.join(_notes(column))} |"


def _type(column: Column[object]) -> str:
    return column.type.compile(POSTGRESQL).lower()


def _notes(column: Column[object]) -> Iterable[str]:
    if column.primary_key:
        yield "Primary key."
    if column.unique:
        yield "Unique."
    for key in column.foreign_keys:
        yield f"Refers to `{key.target_fullname}`."
    if column.doc:
        yield column.doc


if __name__ == "__main__":
    main()
