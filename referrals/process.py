"""What a process that serves for long does as it starts."""

import gc
import logging

from referrals.settings import Settings

COLLECT_AFTER = 10_000
"""New objects; by Python's default it would look through them several times for each referral."""


def start_logging(settings: Settings) -> None:
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("aiosqlite").setLevel(logging.WARNING)  # it tells what is in every row
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of every look at the schema


def keep_loaded() -> None:
    """What is loaded now stays. To look through it at each full collection would hold everything up for a tenth of a second."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
