"""Options of a case."""

from collections.abc import Sequence
from dataclasses import dataclass

DATABASES = ("sqlite", "postgresql")
REFERENCES = ("bare", "dbos", "celery", "restate")
SIZES = ("tiny", "small", "medium", "full")


@dataclass(frozen=True)
class CaseOptions:
    """Options of a run. `scale` overrides the main quantity of a case: conversions, waiting referrals or rows."""

    size: str = "medium"
    scale: int | None = None
    databases: Sequence[str] = DATABASES
    references: Sequence[str] = REFERENCES
