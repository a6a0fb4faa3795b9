"""Run by Alembic (see `referrals.store.db.migrate`) on the connection that it is given, inside its transaction."""

from alembic import context

from referrals.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
