"""Public pages in Chromium: no violation found by axe, nothing cut off on a phone, keyboard focus that is visible.

`REFERRALS_TEST_SCREENSHOTS=FOLDER` writes each page as a picture, on a phone and a desktop, light and dark.
"""

import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import ConsoleMessage, Page, Route, async_playwright

from entrypoints.api.public_pages import respond_with_page
from referrals.channels.page_context import EXAMPLE_PAGE_CONTEXT, PAGES
from referrals.channels.templates import TEMPLATES_DIR, Templates
from referrals.domain.campaign import Campaign
from tests.harness.campaigns import campaign

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SCREENSHOTS = os.environ.get("REFERRALS_TEST_SCREENSHOTS")
PHONE, DESKTOP, NARROW = (390, 844), (1440, 900), (320, 640)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
LOCALES = ("en", "de")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
AXE = Axe()
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RULES = {"resultTypes": ["violations"], "runOnly": LEVELS}
CONTRAST = {"resultTypes": ["violations"], "runOnly": ["color-contrast"]}
URL = "https://go.example/page"
CAMPAIGN = Campaign.model_validate(campaign() | {"name": "Spring referrals"})
PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
LONG_CODE = "SOMMERFREUNDSCHAFTSAKTION-7K2M9QXD4WPB6TZH8RVN3YCF5GJL"

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium"
)


@pytest.fixture(scope="module")
async def tab() -> AsyncIterator[Page]:
    """Open a browser with one tab, because a browser starts a process for each."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield await browser.new_page()
        await browser.close()


@dataclass
class Resources:
    """The only resource of the API that pages need."""

    templates: Templates


@dataclass
class Request:
    headers: dict[str, str]


async def show(
    tab: Page,
    name: str,
    locale: str,
    scheme: Literal["light", "dark"] = "light",
    size: tuple[int, int] = PHONE,
    templates: Templates | None = None,
    **variables: Any,
) -> None:
    """Open a page as the API sends it, with its headers, which must not block any of its parts."""
    request: Any = Request({"accept-language": locale})
    resources: Any = Resources(templates or Templates())
    known = {key: value for key, value in EXAMPLE_PAGE_CONTEXT.items() if key != "campaign"}
    response = respond_with_page(request, resources, name, campaign=CAMPAIGN, **known | variables)

    async def fulfil(route: Route) -> None:
        await route.fulfill(body=response.body, headers=dict(response.headers))

    errors: list[str] = []

    def record(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(message.text)

    await tab.unroute_all()
    await tab.route(URL, fulfil)
    await tab.set_viewport_size({"width": size[0], "height": size[1]})
    await tab.emulate_media(color_scheme=scheme)
    tab.on("console", record)
    await tab.goto(URL)
    tab.remove_listener("console", record)
    assert errors == []


async def violations(tab: Page, options: dict[str, Any]) -> list[str]:
    results = await AXE.run(tab, options=options)
    return [f"{found['id']}: {found['help']}" for found in results.response["violations"]]


async def fits(tab: Page) -> bool:
    """Check that nobody has to scroll sideways."""
    return bool(await tab.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("name", PAGES)
async def test_axe_finds_no_violation_in_light_and_dark(tab: Page, name: str, locale: str):
    await show(tab, name, locale)
    found = await violations(tab, RULES)
    await tab.emulate_media(color_scheme="dark")
    in_dark = await violations(tab, CONTRAST)

    assert (found, in_dark, await fits(tab)) == ([], [], True)


async def test_a_long_code_fits_on_a_small_phone(tab: Page):
    await show(tab, "code", "de", size=NARROW, code=LONG_CODE)

    assert await fits(tab)


async def test_the_button_is_reached_and_pressed_by_the_keyboard(tab: Page):
    await show(tab, "unsubscribe", "en")
    await tab.keyboard.press("Tab")
    outline = await tab.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    async with tab.expect_request(URL) as sent:
        await tab.keyboard.press("Enter")

    assert outline == "solid"
    assert (await sent.value).method == "POST"


async def test_axe_finds_no_violation_with_a_logo(tab: Page, tmp_path: Path):
    brand = (TEMPLATES_DIR / "messages" / "_brand.jinja").read_text()
    (tmp_path / "_brand.jinja").write_text(brand.replace("logo = none", f'logo = "{PIXEL}"'))
    await show(tab, "unsubscribe", "en", templates=Templates(tmp_path))

    assert await violations(tab, RULES) == []
    assert await tab.evaluate("document.images[0].naturalWidth") == 1


if SCREENSHOTS:

    @pytest.mark.parametrize("scheme", SCHEMES)
    @pytest.mark.parametrize("size", [PHONE, DESKTOP])
    @pytest.mark.parametrize("locale", LOCALES)
    async def test_screenshots(
        tab: Page, locale: str, size: tuple[int, int], scheme: Literal["light", "dark"]
    ):
        for name in PAGES:
            await show(tab, name, locale, scheme, size)
            file = Path(str(SCREENSHOTS), f"{name}-{locale}-{size[0]}-{scheme}.png")
            await tab.screenshot(path=file)
