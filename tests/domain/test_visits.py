"""Visits: a table of agents that are people and of agents that are not, and the address of the landing page."""

import random
import time
from urllib.parse import parse_qsl, urlsplit

import pytest
from crawlerdetect.providers.crawlers import data as crawler_patterns
from hypothesis import given
from hypothesis import strategies as st

from referrals.domain.landing_pages import landing_url
from referrals.domain.visits import find_omission, is_bot

BOTS = {
    "LinkedIn": "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
    "Discord": "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
    "Skype": "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
    "Meta AI": "meta-externalagent/1.1 (+https://developers.facebook.com/docs/sharing/webmasters/crawler)",
    "Slack image": "Slack-ImgProxy (+https://api.slack.com/robots)",
    "Google Messages": "Mozilla/5.0 (compatible; Google-Messages-LinkPreview)",
    "Googlebot": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "curl": "curl/8.4.0",
    "WhatsApp": "WhatsApp/2.23.20.0 A",
    "Facebook": "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Slack": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "X": "Twitterbot/1.0",
    "Telegram": "TelegramBot (like TwitterBot)",
    "Bing": "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "pinterest": "Mozilla/5.0 (compatible; Pinterestbot/1.0; +http://www.pinterest.com/bot.html)",
    "Applebot": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/13.1.1 Safari/605.1.15 (Applebot/0.1; +http://www.apple.com/go/applebot)",
    "iMessage": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1 Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0",
    "wget": "Wget/1.21.3",
    "python": "python-requests/2.31.0",
    "httpx": "python-httpx/0.27.0",
    "Go": "Go-http-client/1.1",
    "okhttp": "okhttp/4.12.0",
    "headless Chrome": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/119.0.0.0 Safari/537.36",
    "Snapchat": "Mozilla/5.0 (compatible; Snap URL Preview Service; bot; snapchat; https://developers.snap.com/robots)",
    "viber": "Viber/20.0.0",
    "Viber preview": "ViberUrlDownloader",
    "mastodon": "http.rb/5.1.0 (Mastodon/4.1.2; +https://mastodon.social/) Bot",
    "bluesky": "Mozilla/5.0 (compatible; Bluesky Cardyb/1.1; +mailto:support@bsky.app)",
    "ChatGPT": "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; ChatGPT-User/1.0; +https://openai.com/bot",
    "VK": "Mozilla/5.0 (compatible; vkShare; +http://vk.com/dev/Share)",
    "iframely": "Iframely/1.3.1 (+https://iframely.com/docs/about)",
    "embedly": "Mozilla/5.0 (compatible; Embedly/0.2; +http://support.embed.ly/)",
    "reddit": "Mozilla/5.0 (compatible; redditbot/1.0; +http://www.reddit.com/feedback)",
    "Java": "Java/17.0.1",
    "axios": "axios/1.6.2",
    "node": "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)",
    "uptime check": "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
    "an iOS app": "SomeApp/1 CFNetwork/1408.0.4 Darwin/22.5.0",
    "Gmail image": "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "yahoo": "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
    "no agent": "",
    "Zalo": "Mozilla/5.0 ZaloBot",
    "bytespider": "Mozilla/5.0 (Linux; Android 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Mobile Safari/537.36 (compatible; Bytespider; spider-feedback@bytedance.com)",
    "a very long agent": "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 " + "x" * 500,
}
PEOPLE = {
    "chrome": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Firefox": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "a short Firefox": "Mozilla/5.0 Firefox/128.0",
    "safari": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
    "WhatsApp on iOS": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 WhatsApp/24.12.79",
    "WhatsApp on Android": "Mozilla/5.0 (Linux; Android 14; SM-S911B Build/UP1A.231005.007; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.6478.71 Mobile Safari/537.36 WhatsApp/2.24.12.78",
    "Instagram on iOS": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/21F90 Instagram 334.0.4.32.98 (iPhone14,5; iOS 17_5_1; de_DE; de; scale=3.00; 1170x2532; 611400134)",
    "Instagram on Android": "Mozilla/5.0 (Linux; Android 13; SM-A546B Build/TP1A.220624.014; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/125.0.6422.165 Mobile Safari/537.36 Instagram 335.0.0.36.93 Android (33/13; 450dpi; 1080x2131; samsung; SM-A546B; a54x; s5e8835; de_DE; 612350142)",
    "Facebook on iOS": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/21F79 [FBAN/FBIOS;FBAV/467.0.0.43.103;FBBV/604345645;FBDV/iPhone14,5;FBMD/iPhone;FBSN/iOS;FBSV/17.5;FBSS/3;FBCR/;FBID/phone;FBLC/de_DE;FBOP/80]",
    "Facebook on Android": "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/AP1A.240505.005; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/125.0.6422.165 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/467.0.0.52.83;]",
    "X app": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Twitter for iPhone/10.43",
    "edge": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0",
    "samsung": "Mozilla/5.0 (Linux; Android 13; SAMSUNG SM-A546B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36",
    "opera mini": "Opera/9.80 (Android; Opera Mini/8.0.1807/36.1609; U; en) Presto/2.12.423 Version/12.16",
    "LinkedIn app": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 [LinkedInApp]/9.29.6587",
    "slack app": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Slack/4.38.125 Chrome/122.0 Electron/29 Safari/537.36",
    "tiktok": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 musical_ly_34.9.0 BytedanceWebview/d8a21c6",
    "TikTok on Android": "Mozilla/5.0 (Linux; Android 13; SM-A127F; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/114.0 Mobile Safari/537.36 trill_2022 BytedanceWebview/d8a21c6",
    "wechat": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.49(0x18003130) NetType/WIFI Language/de",
    "line": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Safari Line/14.9.0",
    "pinterest app": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 [Pinterest/iOS]",
    "Snapchat app": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Snapchat/12.90.0.45 (like Safari/8617.2.4.10.8, panda)",
    "Google app": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) GSA/320.0.642309853 Mobile/15E148 Safari/604.1",
    "DuckDuckGo": "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile DuckDuckGo/5 Safari/537.36",
    "a phone named Cubot": "Mozilla/5.0 (Linux; Android 11; CUBOT NOTE 20) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Mobile Safari/537.36",
    "telegram": "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126 Mobile Safari/537.36 Telegram-Android/10.14.2 (Samsung SM-S911B; Android 14; SDK 34; HIGH)",
}
CHROME = PEOPLE["chrome"]


@pytest.mark.parametrize("agent", BOTS.values(), ids=BOTS)
def test_a_program_is_no_person(agent: str):
    assert find_omission("GET", {"user-agent": agent}) == "bot"


@pytest.mark.parametrize("agent", PEOPLE.values(), ids=PEOPLE)
def test_a_browser_is_a_person_also_inside_an_app(agent: str):
    assert find_omission("GET", {"user-agent": agent}) is None


@pytest.mark.parametrize(
    ("method", "headers", "omission"),
    [
        ("GET", {"accept-language": "de"}, None),
        ("HEAD", {}, "head"),
        ("GET", {"purpose": "prefetch"}, "prefetch"),
        ("GET", {"purpose": "Preview"}, "prefetch"),
        ("GET", {"sec-purpose": "prefetch;prerender"}, "prefetch"),
        ("GET", {"sec-purpose": "prefetch;anonymous-client-ip"}, "prefetch"),
        ("GET", {"x-purpose": "preview"}, "prefetch"),
        ("GET", {"x-moz": "prefetch"}, "prefetch"),
        ("GET", {"from": "googlebot(at)googlebot.com"}, "bot"),
        ("GET", {"x-scanner": "safe-links"}, "bot"),
    ],
)
def test_the_request_shows_what_it_is_for(method: str, headers: dict[str, str], omission: str):
    assert find_omission(method, {"user-agent": CHROME} | headers) == omission


def test_a_visit_without_any_header_is_no_person():
    assert find_omission("GET", {}) == "bot"


@given(st.text(max_size=2000))
def test_any_text_is_an_agent(text: str):
    assert is_bot(text) in (True, False)
    assert is_bot(f"Mozilla/5.0 {text}") in (True, False)


LANDING = "https://shop.example/welcome?page=5&code=old#top"
VISIT = {"code": "ADA-1", "click": "clk_1_ADA-1"}


@pytest.mark.parametrize(
    ("query", "passed"),
    [
        (
            "utm_source=mail&utm_medium=x&gclid=1&fbclid=2",
            {"utm_source": "mail", "utm_medium": "x", "gclid": "1"},
        ),
        ("code=EVIL&click=clk_2&via=qr&co%64e=EVIL", {}),
        ("page=6&utm_source=", {}),
        ("utm_source=a&utm_source=b", {"utm_source": "a"}),
        (
            "utm_x=%0d%0aset-cookie:x&utm_url=https://evil.example",
            {"utm_x": "\r\nset-cookie:x", "utm_url": "https://evil.example"},
        ),
        (f"gclid={'1' * 301}", {}),
    ],
)
def test_only_named_parameters_are_passed_on(query: str, passed: dict[str, str]):
    url = urlsplit(landing_url(LANDING, VISIT, query, ("utm_*", "gclid", "page", "c*")))

    assert (url.netloc, url.path, url.fragment) == ("shop.example", "/welcome", "top")
    assert dict(parse_qsl(url.query)) == {"page": "5"} | passed | VISIT
    assert url.query.endswith("&code=ADA-1&click=clk_1_ADA-1")


@given(st.text(), st.lists(st.text(min_size=1), max_size=3))
def test_no_query_changes_the_address_or_the_visit(query: str, pass_on: list[str]):
    url = urlsplit(landing_url(LANDING, VISIT, query, pass_on))

    assert (url.scheme, url.netloc, url.path) == ("https", "shop.example", "/welcome")
    pairs = parse_qsl(url.query)
    assert [value for name, value in pairs if name == "code"] == ["ADA-1"]
    assert [value for name, value in pairs if name == "click"] == ["clk_1_ADA-1"]


def test_agents_that_are_made_to_be_slow_are_not():
    """Anybody can send one, and the event loop waits."""
    choose = random.Random(1)
    nearly = [pattern.replace("\\", "")[:-1] for pattern in crawler_patterns]
    agents = [("Mozilla/5.0 " + " ".join(choose.choices(nearly, k=60)))[:500] for _ in range(20)]
    started = time.process_time()
    for agent in agents:
        is_bot(agent)

    assert (time.process_time() - started) / len(agents) < 0.005
