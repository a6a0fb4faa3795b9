"""Differences between two versions of a campaign, in words."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from referrals.domain.campaign import Campaign
from referrals.domain.field_docs import Described

MAX_VALUE_LENGTH = 80


@dataclass(frozen=True)
class CampaignChange(Described):
    """A key that differs, such as `rewards.tiers[ten].at`. Entries of lists go by their names; null is not set."""

    field: str
    """Path of the key."""
    before: Any
    """Value before; null if it was not set."""
    after: Any
    """Value afterwards; null if it is not set."""
    message: str
    """Text for people."""


def changes_between(old: Campaign, new: Campaign) -> list[CampaignChange]:
    """List the changes from `old` to `new` in the order of the keys."""
    return list(_changes("", old.model_dump(mode="json"), new.model_dump(mode="json")))


def _changes(field: str, before: Any, after: Any) -> Iterator[CampaignChange]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys((*before, *after)):
            path = f"{field}.{key}" if field else key
            yield from _changes(path, before.get(key), after.get(key))
    elif _is_named(before) and _is_named(after):
        yield from _changes_of_entries(field, before, after)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _changes(f"{field}[{index}]", one, other)
    else:
        yield CampaignChange(field, before, after, _message(field, before, after))


def _changes_of_entries(
    field: str, before: list[dict[str, Any]], after: list[dict[str, Any]]
) -> Iterator[CampaignChange]:
    """Compare lists whose entries have names; an entry that was renamed is the same entry."""
    old, new = ({_identity(entry): entry for entry in entries} for entries in (before, after))
    for identity in dict.fromkeys((*new, *old)):
        earlier, later = old.get(identity), new.get(identity)
        path = f"{field}[{(later or earlier or {})['name']}]"
        if earlier and later:
            yield from _changes(path, _without_names(earlier), _without_names(later))
            if earlier["name"] != later["name"]:
                names = (earlier["name"], later["name"])
                yield CampaignChange(
                    f"{path}.name", *names, f"{field}[{names[0]}] is renamed to {names[1]}"
                )
        else:
            yield CampaignChange(
                path, earlier, later, f"{path} is {'added' if later else 'removed'}"
            )


def _without_names(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in ("name", "renamed_from")}


def _identity(entry: dict[str, Any]) -> str:
    return str((entry.get("renamed_from") or [entry["name"]])[0])


def _is_named(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(entry, dict) and "name" in entry for entry in value
    )


def _message(field: str, before: Any, after: Any) -> str:
    if before is None:
        return f"{field} is set to {_text(after)}"
    if after is None:
        return f"{field} is no longer set; it was {_text(before)}"
    return f"{field} changes from {_text(before)} to {_text(after)}"


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_VALUE_LENGTH else f"{text[: MAX_VALUE_LENGTH - 1]}…"
