"""The schema of release 0.1.0, as SQL for each kind of database (see `migrations/baseline/`)."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None

BASELINE = Path(__file__).parents[1] / "baseline"


def upgrade() -> None:
    """Run the statements, which blank lines separate."""
    connection = op.get_bind()
    script = (BASELINE / f"{connection.dialect.name}.sql").read_text()
    for statement in script.split("\n\n"):
        connection.exec_driver_sql(statement)
