from urllib.parse import parse_qs, unquote, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from referrals.domain.links import referral_link, share_links

URL = "https://go.example/"
NAME = "Frühling & Freunde: 50 % für 友達?"


def query(url: str) -> dict[str, str]:
    return {
        key: value for key, (value,) in parse_qs(urlsplit(url).query, strict_parsing=True).items()
    }


def test_a_link_leads_to_the_code_and_may_name_its_channel():
    assert referral_link(URL, "ADA-2026") == "https://go.example/r/ADA-2026"
    assert referral_link(URL, "ADA-2026", "qr") == "https://go.example/r/ADA-2026?via=qr"


def test_each_channel_s_link_opens_it_with_the_campaign_and_a_referral_link_of_its_own():
    share = share_links(URL, "ADA-2026", NAME)

    def via(channel: str) -> str:
        return f"https://go.example/r/ADA-2026?via={channel}"

    assert query(share["whatsapp"]) == {"text": f"{NAME}: {via('whatsapp')}"}
    assert query(share["email"]) == {"subject": NAME, "body": f"{NAME}: {via('email')}"}
    assert query(share["x"]) == {"text": NAME, "url": via("x")}
    assert query(share["facebook"]) == {"u": via("facebook")}
    assert query(share["telegram"]) == {"url": via("telegram"), "text": NAME}
    assert share["link"] == via("link")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_whatever_a_campaign_is_called_its_links_are_plain_urls(name):
    for channel, url in share_links(URL, "ADA-2026", name).items():
        assert url.isascii()
        assert " " not in url
        assert "+" not in url  # mail programs take it for a plus
        assert f"https://go.example/r/ADA-2026?via={channel}" in unquote(url)
