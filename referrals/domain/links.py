"""Referral links, share links and unsubscribe links."""

from urllib.parse import quote

from referrals.domain.clicks import ShareChannel


def referral_link(public_url: str, code: str, via: ShareChannel | None = None) -> str:
    """Return the referral link of a code. With `via`, its clicks are counted for that channel."""
    url = f"{public_url.rstrip('/')}/r/{quote(code)}"
    return f"{url}?via={via}" if via else url


def unsubscribe_link(public_url: str, token: str) -> str:
    return f"{public_url.rstrip('/')}/u/{quote(token)}"


def share_links(public_url: str, code: str, campaign_name: str) -> dict[str, str]:
    """Return a share link for each channel. `link` is the referral link itself.

    Sources: docs.x.com, "Web intent"; faq.whatsapp.com, "click to chat"; core.telegram.org/widgets/share; RFC 6068.
    """

    def url(channel: ShareChannel) -> str:
        return quote(referral_link(public_url, code, channel), safe="")

    name = quote(campaign_name, safe="")
    between = quote(": ", safe="")
    return {
        "whatsapp": f"https://wa.me/?text={name}{between}{url('whatsapp')}",
        "email": f"mailto:?subject={name}&body={name}{between}{url('email')}",
        "x": f"https://x.com/intent/tweet?text={name}&url={url('x')}",
        "facebook": f"https://www.facebook.com/sharer/sharer.php?u={url('facebook')}",
        "telegram": f"https://t.me/share/url?url={url('telegram')}&text={name}",
        "link": referral_link(public_url, code, "link"),
    }
