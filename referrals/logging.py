"""Structured logs: one line per request, decision, workflow step, vendor call and webhook delivery.

Lines carry internal ids, outcomes and durations, never contact details: a processor removes them from every line,
also from those of libraries. `log_format` selects JSON or a format for the console.
"""

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from referrals.domain.contact_redaction import REMOVED, redact
from referrals.settings import Settings

CONTACT_FIELDS = frozenset(
    {
        "address",
        "body",
        "data",
        "email",
        "from",
        "name",
        "phone",
        "recipient",
        "subject",
        "text",
        "to",
    }
)
"""Fields that are removed whatever they contain."""
GENERATED_FIELDS = frozenset({"timestamp", "level", "logger", "duration_ms", "status"})
"""Fields that the engine makes, and whose digits are no phone numbers."""

_INTERNAL_ID = re.compile(
    r"(\b[a-z]{2,5}_[0-9a-f]{16,}\b|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b)"
)
"""Ids such as `ref_019ab4c5…` and UUIDs, in which digits are no phone numbers."""

# Log calls go to the standard library, so that every handler sees those of the engine and of libraries alike.
structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.render_to_log_kwargs,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def start_logging(settings: Settings) -> None:
    """Write the logs of this process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(settings.log_format))
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    logging.getLogger("aiosqlite").setLevel(logging.WARNING)  # it logs the content of every row
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it logs every schema inspection


def formatter(log_format: str) -> logging.Formatter:
    """Return a formatter for `json` or `console`."""
    renderer: Processor = (
        structlog.processors.JSONRenderer(default=str)
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        )
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.ExtraAdder(),
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            remove_contact_details,
        ],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )


def remove_contact_details(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Remove fields that hold contact details, and email addresses and phone numbers in all others."""
    return {
        field: value if field in GENERATED_FIELDS or field.startswith("_") else _clean(value)
        for field, value in event.items()
        if field not in CONTACT_FIELDS
    }


def _clean(value: Any) -> Any:
    match value:
        case str():
            parts = _INTERNAL_ID.split(value)
            return "".join(part if index % 2 else redact(part) for index, part in enumerate(parts))
        case dict():
            return {key: _clean(inner) for key, inner in value.items() if key not in CONTACT_FIELDS}
        case list() | tuple():
            return [_clean(inner) for inner in value]
        case bool() | int() | float() | None:
            return value
    return REMOVED if redact(str(value)) != str(value) else value


class Stopwatch:
    """Measures the time since its creation."""

    def __init__(self) -> None:
        self._started = perf_counter()

    @property
    def milliseconds(self) -> float:
        return round((perf_counter() - self._started) * 1000, 1)


@contextmanager
def log_context(**ids: str) -> Iterator[None]:
    """Add ids to all lines that are logged in the block, also by the functions that it calls."""
    with structlog.contextvars.bound_contextvars(**ids):
        yield
