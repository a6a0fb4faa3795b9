"""Actors in the activity log that are not callers of the API."""

SYSTEM_ACTOR = "system"
"""Actor of what timers, journeys and reports of vendors trigger."""
