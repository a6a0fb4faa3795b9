"""The address of a campaign's landing page for one visit."""

from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

MAX_PASSED_PARAMETERS = 20
MAX_PASSED_LENGTH = 300
VISIT_PARAMETERS = frozenset({"code", "click"})
"""Parameters by which the landing page learns the code and the id of the click."""
RESERVED_PARAMETERS = VISIT_PARAMETERS | {"via"}
"""Parameters of the referral link that mean something to the engine and are not passed on."""


def landing_url(
    url: str, parameters: Mapping[str, str], link_query: str, pass_on: Iterable[str]
) -> str:
    """Return the landing page with these parameters and those of the link that `pass_on` names.

    The landing page's own parameters stay, except `code` and `click`. Only the query changes, never the address.
    """
    parts = urlsplit(url)
    own = [
        pair
        for pair in parse_qsl(parts.query, keep_blank_values=True)
        if pair[0] not in VISIT_PARAMETERS
    ]
    passed = _passed_on(link_query, tuple(pass_on), {name for name, _ in own})
    query = urlencode([*own, *passed.items(), *parameters.items()])
    return urlunsplit(parts._replace(query=query))


def _passed_on(query: str, pass_on: tuple[str, ...], own: set[str]) -> dict[str, str]:
    passed: dict[str, str] = {}
    if not pass_on:
        return passed
    for name, value in parse_qsl(query):
        if name in RESERVED_PARAMETERS | own or len(passed) == MAX_PASSED_PARAMETERS:
            continue
        if len(value) <= MAX_PASSED_LENGTH and any(_matches(name, allowed) for allowed in pass_on):
            passed.setdefault(name, value)
    return passed


def _matches(name: str, allowed: str) -> bool:
    return name.startswith(allowed[:-1]) if allowed.endswith("*") else name == allowed
