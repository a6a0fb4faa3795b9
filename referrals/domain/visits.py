"""Visits of referral links: which of them are a person's."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Literal

from crawlerdetect.providers.crawlers import data as crawler_patterns
from crawlerdetect.providers.exclusions import data as browser_patterns
from pydantic import StringConstraints, TypeAdapter, ValidationError

Omission = Literal["bot", "head", "prefetch"]
"""Reason why a visit is not counted as a click. `bot` includes previews of messengers and requests by programs."""

MAX_AGENT_LENGTH = 512

_BROWSER = re.compile(r"(Mozilla|Opera|UCWEB)/\d")
_APP = re.compile(r" (?:WhatsApp|Slack)/[\w.]+")
"""Apps that crawlerdetect takes for their own fetch of a preview. With an engine, the agent is a browser inside the app."""
_ENGINE = "AppleWebKit/"
_CONTACT = re.compile(r"\+(https?:|mailto:)")
_PURPOSE_HEADERS = ("purpose", "sec-purpose", "x-purpose", "x-moz")
_PURPOSES = ("prefetch", "prerender", "preview")
_ROBOT_HEADERS = ("from", "x-scanner")
# crawlerdetect's own matcher takes up to half a second for an agent that is made for it, and one expression of all its
# patterns 30 milliseconds, and anybody can send one. Nearly all patterns are plain words; pydantic's engine takes linear
# time for the rest. It has no look-around, and needs no prefix that matches anything.
_IS_PATTERN = re.compile(r"(?<!\\)[\[\](){}?*+|^$.]|\\\w")
_CRAWLER_WORDS = [
    re.sub(r"\\(.)", r"\1", pattern).lower()
    for pattern in crawler_patterns
    if not _IS_PATTERN.search(pattern)
]
_CRAWLER_PATTERN = "|".join(
    pattern.removeprefix(r"[a-z0-9\-_]*")
    for pattern in crawler_patterns
    if _IS_PATTERN.search(pattern) and "(?" not in pattern
)
_CRAWLER = TypeAdapter(Annotated[str, StringConstraints(pattern=f"(?i){_CRAWLER_PATTERN}")])
_BROWSER_PARTS = re.compile("|".join(browser_patterns), re.IGNORECASE)


def find_omission(method: str, headers: Mapping[str, str]) -> Omission | None:
    """Return why the request is not a person's visit, or None if it is, as far as it shows. Names are in lower case."""
    if method != "GET":
        return "head"
    purposes = " ".join(headers.get(name, "") for name in _PURPOSE_HEADERS).lower()
    if any(purpose in purposes for purpose in _PURPOSES):
        return "prefetch"
    if any(name in headers for name in _ROBOT_HEADERS) or is_bot(headers.get("user-agent", "")):
        return "bot"
    return None


def is_bot(agent: str) -> bool:
    """Check whether a user agent is not a browser, by crawlerdetect's patterns. No browser is nameless or very long."""
    if not _BROWSER.match(agent) or len(agent) > MAX_AGENT_LENGTH or _CONTACT.search(agent):
        return True
    return _is_crawler(agent)


@lru_cache(maxsize=1024)
def _is_crawler(agent: str) -> bool:
    if _ENGINE in agent:
        agent = _APP.sub("", agent)
    rest = _BROWSER_PARTS.sub("", agent).lower()
    if any(word in rest for word in _CRAWLER_WORDS):
        return True
    try:
        _CRAWLER.validate_python(rest)
    except ValidationError:
        return False
    return True
