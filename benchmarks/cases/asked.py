"""What is asked of a case."""

from collections.abc import Sequence
from dataclasses import dataclass

DATABASES = ("sqlite", "postgresql")
REFERENCES = ("bare", "dbos", "celery", "restate")
SIZES = ("tiny", "small", "medium", "full")


@dataclass(frozen=True)
class Asked:
    """`scale` replaces what the size says of a case's main measure: conversions, referrals waiting, rows."""

    size: str = "medium"
    scale: int | None = None
    databases: Sequence[str] = DATABASES
    references: Sequence[str] = REFERENCES
