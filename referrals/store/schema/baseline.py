"""Write the baseline migration from the tables: `python -m referrals.store.schema.baseline`.

Until release 0.1.0 a change of a table rewrites the baseline. From then on the baseline is frozen, and each change
is a new migration.
"""

from collections.abc import Iterator

from sqlalchemy import Dialect, make_url
from sqlalchemy.schema import CreateIndex, CreateTable

from referrals.store.db.migrate import MIGRATIONS
from referrals.store.schema import metadata

DIRECTORY = MIGRATIONS / "baseline"
APPEND_ONLY = ("activity", "campaign_versions", "ledger_entries")
"""Tables whose rows can be neither updated nor deleted; versions only together with their campaign."""

_REFUSE_CHANGE = """CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation',
        MESSAGE = TG_TABLE_NAME || ' is append-only';
END $$"""
_HAS_CAMPAIGN = "EXISTS (SELECT 1 FROM campaigns WHERE id = OLD.campaign_id)"
_REFUSE_DELETE_OF_VERSION = f"""CREATE FUNCTION refuse_delete_of_version() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF {_HAS_CAMPAIGN} THEN
        RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation',
            MESSAGE = 'campaign_versions is append-only';
    END IF;
    RETURN OLD;
END $$"""


def main() -> None:
    """Write one SQL file for each kind of database."""
    for url in ("sqlite+aiosqlite://", "postgresql+asyncpg://"):
        dialect = make_url(url).get_dialect()()
        text = ";\n\n".join(statements(dialect)) + ";\n"
        (DIRECTORY / f"{dialect.name}.sql").write_text(text)


def statements(dialect: Dialect) -> Iterator[str]:
    """All statements that create the schema, in order."""
    for table in metadata.sorted_tables:
        yield _compact(str(CreateTable(table).compile(dialect=dialect)))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            yield _compact(str(CreateIndex(index).compile(dialect=dialect)))
    yield from _sqlite_triggers() if dialect.name == "sqlite" else _postgresql_triggers()


def _compact(statement: str) -> str:
    """Without blank lines, which separate the statements of the file."""
    lines = (line.rstrip().replace("\t", "    ") for line in statement.splitlines())
    return "\n".join(line for line in lines if line)


def _sqlite_triggers() -> Iterator[str]:
    for table in APPEND_ONLY:
        for change in ("UPDATE", "DELETE"):
            is_version = (table, change) == ("campaign_versions", "DELETE")
            when = f"WHEN {_HAS_CAMPAIGN}\n" if is_version else ""
            yield (
                f"CREATE TRIGGER {table}_refuse_{change.lower()} BEFORE {change} ON {table}\n{when}"
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )


def _postgresql_triggers() -> Iterator[str]:
    yield _REFUSE_CHANGE
    yield _REFUSE_DELETE_OF_VERSION
    for table in APPEND_ONLY:
        changes = (
            "UPDATE OR TRUNCATE" if table == "campaign_versions" else "UPDATE OR DELETE OR TRUNCATE"
        )
        yield (
            f"CREATE TRIGGER {table}_refuse_change BEFORE {changes} ON {table}\n"
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    yield (
        "CREATE TRIGGER campaign_versions_refuse_delete BEFORE DELETE ON campaign_versions\n"
        "FOR EACH ROW EXECUTE FUNCTION refuse_delete_of_version()"
    )


if __name__ == "__main__":
    main()
