"""Taking contact details out of other people's sentences, before these are stored, logged or raised."""

import re

REMOVED = "[removed]"

_TOKEN = re.compile(r"[^\s<>()\[\],;:\"]+")
_PHONE = re.compile(r"(?<!\d)\+?(?:\d[\s().\-/\u2010-\u2015]{0,3}){6,}\d")


def redact(text: str) -> str:
    """The text with `[removed]` for every e-mail address and phone-like number.

    An address is whatever stands around an `@` (or its URL form `%40`), a phone number any seven digits or more with
    common separators. It errs on the side of removing: dates and IP addresses may go too; SMTP codes such as
    `550 5.1.1` stay.
    """
    return _PHONE.sub(REMOVED, _TOKEN.sub(_without_address, text))


def _without_address(token: re.Match[str]) -> str:
    return REMOVED if "@" in token[0] or "%40" in token[0] else token[0]
