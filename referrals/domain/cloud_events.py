"""Outgoing CloudEvents."""

from datetime import datetime
from typing import Any


def build_cloud_event(
    event_id: str, source: str, kind: str, at: datetime, subject: str | None, data: Any
) -> dict[str, Any]:
    """Return a CloudEvent 1.0 as JSON. `subject` is the customer that the event concerns, if any."""
    envelope = {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": kind,
        "time": at.isoformat(),
        "datacontenttype": "application/json",
        "data": data,
    }
    return envelope | ({"subject": subject} if subject else {})
