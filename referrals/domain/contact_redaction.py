"""Removal of contact details from messages of other systems, before they are stored, logged or raised."""

import re

REMOVED = "[removed]"

_TOKEN = re.compile(r"[^\s<>()\[\],;:\"]+")
_PHONE = re.compile(r"(?<!\d)\+?(?:\d[\s().\-/\u2010-\u2015]{0,3}){6,}\d")


def redact(text: str) -> str:
    """Replace every email address and phone number in the text with `[removed]`.

    An email address is any token with an `@` (or its URL encoding `%40`), a phone number any seven or more digits with
    common separators. Dates and IP addresses may be removed too; SMTP codes such as `550 5.1.1` are kept.
    """
    return _PHONE.sub(REMOVED, _TOKEN.sub(_without_address, text))


def _without_address(token: re.Match[str]) -> str:
    return REMOVED if "@" in token[0] or "%40" in token[0] else token[0]
