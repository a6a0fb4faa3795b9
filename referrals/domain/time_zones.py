"""Time zones by name. The table of zones belongs to the machine, and changes."""

from zoneinfo import ZoneInfo


def find_zone(*names: str | None) -> ZoneInfo:
    """Return the zone of the first name that is known, or UTC if none is."""
    for name in names:
        try:
            if name:
                return ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            continue
    return ZoneInfo("UTC")
