"""Start-up of long-running processes."""

import gc
import logging

from referrals.settings import Settings

GC_THRESHOLD = 10_000
"""New objects between two garbage collections. With Python's default there would be several for each referral."""


def start_logging(settings: Settings) -> None:
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("aiosqlite").setLevel(logging.WARNING)  # it logs the content of every row
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it logs every schema inspection


def freeze_gc() -> None:
    """Exclude everything loaded so far from garbage collection: a full collection would take a tenth of a second."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
