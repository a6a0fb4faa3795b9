"""The referral link of a code, the links that share it, and the link that ends messages."""

from urllib.parse import quote


def link(public_url: str, code: str) -> str:
    return f"{public_url.rstrip('/')}/r/{quote(code)}"


def unsubscribe_link(public_url: str, token: str) -> str:
    return f"{public_url.rstrip('/')}/u/{quote(token)}"


def share_links(public_url: str, code: str, campaign_name: str) -> dict[str, str]:
    """A link for each channel that opens it with the referral link filled in; `link` is the link itself."""
    url = link(public_url, code)
    text = quote(f"{campaign_name}: {url}", safe="")
    return {
        "whatsapp": f"https://wa.me/?text={text}",
        "email": f"mailto:?subject={quote(campaign_name, safe='')}&body={text}",
        "link": url,
    }
