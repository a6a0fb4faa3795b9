"""Public pages: HTML in the reader's language, with headers that forbid scripts, frames and caching."""

import re
from base64 import b64encode
from hashlib import sha256
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from entrypoints.api.resources import AppResources
from referrals.domain.campaign import Campaign

MAX_LANGUAGES = 10
"""Number of languages of a request that are considered."""
MAX_HEADER_LENGTH = 500
"""Characters of `Accept-Language` that are read."""
PAGE: dict[str, Any] = {"description": "A page for people.", "content": {"text/html": {}}}
"""A page in the OpenAPI document."""

_LANGUAGE = re.compile(r"([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)\s*(?:;\s*q=([01](?:\.\d{0,3})?))?")
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_CONTENT_POLICY = (
    "default-src 'none'; style-src {styles}; img-src https: data:; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def respond_with_page(
    request: Request,
    resources: AppResources,
    page: str,
    status: int = 200,
    *,
    campaign: Campaign | None = None,
    locale: str | None = None,
    **variables: Any,
) -> HTMLResponse:
    """Respond with a public page.

    Args:
        request: Its `Accept-Language` says which languages the reader understands.
        resources: The templates.
        page: One of `PAGES`.
        status: HTTP status.
        campaign: The campaign whose name and brand the page has.
        locale: The reader's locale if it is known; preferred to those of the request.
        variables: Variables of the page, see `EMPTY_PAGE_CONTEXT`.
    """
    preferred = accepted_languages(request.headers.get("accept-language", ""))
    rendered = resources.templates.render_page(
        page,
        [locale, *preferred] if locale else preferred,
        (campaign.campaign, campaign.name) if campaign else None,
        **variables,
    )
    headers = {
        "content-language": rendered.locale,
        "content-security-policy": _CONTENT_POLICY.format(styles=_style_hashes(rendered.html)),
    }
    return HTMLResponse(rendered.html, status, _HEADERS | headers)


def accepted_languages(header: str) -> list[str]:
    """Return the languages of an `Accept-Language` header (RFC 9110), the preferred first."""
    parts = header[:MAX_HEADER_LENGTH].split(",")[:MAX_LANGUAGES]
    found = [match for part in parts if (match := _LANGUAGE.fullmatch(part.strip()))]
    weighted = [(float(match[2] or 1), match[1]) for match in found]
    return [tag for weight, tag in sorted(weighted, key=lambda item: -item[0]) if weight]


def _style_hashes(html: str) -> str:
    digests = (sha256(style.encode()).digest() for style in _STYLE.findall(html))
    return " ".join(f"'sha256-{b64encode(digest).decode()}'" for digest in digests) or "'none'"
