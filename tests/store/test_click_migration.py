"""Clicks of before they had rows of their own: the log knows them."""

from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from referrals.store.db import migrate
from referrals.store.db.database import create_engine

BEFORE = """
    INSERT INTO campaigns (id, name, state, version, conversion_event, accepted, created_at)
        VALUES ('spring', 'Spring', 'running', 1, 'redemption', 0, '2026-03-04 10:00:00+00:00');
    INSERT INTO customers (id, external_id, consent, created_at)
        VALUES ('cus_1', 'ada', '[]', '2026-03-04 10:00:00+00:00');
    INSERT INTO advocates (id, campaign_id, customer_id, confirmed, created_at)
        VALUES ('adv_1', 'spring', 'cus_1', 0, '2026-03-04 10:00:00+00:00');
    INSERT INTO codes (code, campaign_id, advocate_id, state, uses, created_at)
        VALUES ('ADA-2026', 'spring', 'adv_1', 'active', 0, '2026-03-04 10:00:00+00:00');
    INSERT INTO activity (type, at, actor, campaign_id, code, advocate_id, data)
        VALUES ('referral_link_clicked', '2026-03-05 10:00:00+00:00', 'visitor', 'spring', 'ADA-2026', 'adv_1', '{}'),
               ('referral_link_shared', '2026-03-05 10:00:00+00:00', 'shop', 'spring', 'ADA-2026', 'adv_1', '{}'),
               ('referral_link_clicked', '2026-03-06 10:00:00+00:00', 'visitor', 'spring', 'ADA-2026', 'adv_1', '{}');
"""


def upgrade(connection: Connection, revision: str) -> None:
    config = migrate._config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


async def test_clicks_that_were_only_logged_are_counted_as_of_the_plain_link(
    empty_database_url: str,
):
    clicks = ScriptDirectory.from_config(migrate._config()).get_revision("0004")
    engine = create_engine(empty_database_url)
    async with engine.begin() as connection:
        await connection.run_sync(upgrade, clicks.down_revision)
        for statement in filter(str.strip, BEFORE.split(";")):
            await connection.execute(text(statement.replace(":", "\\:")))
        await connection.run_sync(upgrade, "0004")
        found = (
            await connection.execute(text("SELECT code, advocate_id, channel FROM clicks"))
        ).all()
    await engine.dispose()

    assert [tuple(row) for row in found] == [("ADA-2026", "adv_1", "link")] * 2
