"""`/u/{token}`: the link in a message that ends messages like it, with one click and no login (RFC 8058)."""

from html import escape
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import HTMLResponse

from entrypoints.api.resources import Engine
from referrals.store.customers import consents

router = APIRouter(tags=["unsubscribe"])

Token = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]

PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">
<title>{title}</title>
<h1>{title}</h1>
<p>{text}</p>
"""
BUTTON = '<form method="post"><button>Send me no more of them</button></form>\n'
HEADERS = {"cache-control": "no-store", "referrer-policy": "no-referrer"}


@router.get("/u/{token}", response_class=HTMLResponse)
async def ask(token: Token, engine: Engine) -> HTMLResponse:
    """Ask whether it is meant. Changes nothing: mail scanners follow links, too."""
    async with engine.store.read() as tx:
        known = await consents.is_unsubscribe_token(tx, token)
    if not known:
        return _unknown()
    return _page("Messages", "You no longer want messages like this one?", BUTTON)


@router.post("/u/{token}", response_class=HTMLResponse)
async def withdraw(token: Token, engine: Engine) -> HTMLResponse:
    """Withdraw the consent to messages like this one, by the channel that it came by; again, it changes nothing."""
    async with engine.store.begin() as tx:
        known = await consents.unsubscribe(tx, token, engine.clock())
    return _page("Done", "You will get no more of these messages.") if known else _unknown()


def _unknown() -> HTMLResponse:
    return _page("Not known", "This link is not known. Please check it.", status=404)


def _page(title: str, text: str, more: str = "", status: int = 200) -> HTMLResponse:
    page = PAGE.format(title=escape(title), text=escape(text)) + more
    return HTMLResponse(page, status, HEADERS)
