"""Start-up of long-running processes."""

import gc

GC_THRESHOLD = 10_000
"""New objects between two garbage collections. With Python's default there would be several for each referral."""


def freeze_gc() -> None:
    """Exclude everything loaded so far from garbage collection: a full collection would take a tenth of a second."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
