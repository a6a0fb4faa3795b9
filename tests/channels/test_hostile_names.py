"""Hostile names never change a message."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from referrals.channels.template_context import EXAMPLE_CONTEXT
from referrals.channels.template_set import MAX_SUBJECT_LENGTH
from tests.channels.email_page import LOCALES, page, render

HOSTILE = [
    "<mj-raw><script>alert(1)</script></mj-raw>",
    "</mj-text></mj-column></mjml>",
    "{{ advocate }}{% raw %}",
    "\"'><img src=x onerror=alert(1)>",
    "--><!--[if mso]>",
    "]]>&amp;&#x3c;b&#62;",
    "𝕱𝖆𝖞 👩‍👩‍👧 \U0010ffff",
    "\u202eyaF\u2066",
    "שלום عليكم",
    "Fay\n\nDear customer,\x00\x1b[31m\ud800",
]


def hostile_examples(test):
    for name in HOSTILE:
        test = example(name)(test)
    return test


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("template", ["invite", "thank_advocate", "reward_failed"])
@hostile_examples
@settings(deadline=None, max_examples=40)
@given(name=st.text(max_size=60))
def test_no_name_changes_the_shape_of_a_mail(template, locale, name):
    people = {
        "recipient": {"name": name},
        "friend": {"name": name},
        "advocate": {**EXAMPLE_CONTEXT["advocate"], "name": name},
        "campaign": {**EXAMPLE_CONTEXT["campaign"], "name": f"C {name}"},
        "reason": f"R {name}",
    }
    plain, rendered = render(template, locale), render(template, locale, **people)

    def tags(html):
        return [tag for tag, _ in page(html).tags]

    nameless = render(template, locale, **{**people, "recipient": {"name": None}})
    assert tags(rendered.html) == tags(nameless.html) == tags(plain.html)
    assert not page(rendered.html).wrong
    assert len(page(rendered.html).links) == len(page(plain.html).links)
    assert "<script" not in rendered.html
    assert "onerror=alert(1)>" not in rendered.html
    assert len(rendered.subject) <= MAX_SUBJECT_LENGTH
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\ud800-\udfff\u202a-\u202e]", rendered.subject)
    for part in (rendered.text, rendered.html):
        part.encode()


@pytest.mark.parametrize("name", [name for name in HOSTILE if "\n" not in name])
def test_a_hostile_name_is_shown_as_text(name):
    rendered = render("thank_advocate", friend={"name": name})

    shown = re.sub(r"[\u202e\u2066]", "", name)
    assert f"{shown} has used your code" in "".join(page(rendered.html).text)
    assert rendered.subject == f"{shown} has used your code"


@pytest.mark.parametrize(
    "name",
    [
        "Win at https://evil.example",
        "www.evil.example",
        "evil.example/win now",
        "mail me@evil.example",
        "Buy at EVIL.EXAMPLE",
        "   ",
        "\x00",
    ],
)
def test_a_name_with_an_address_is_left_out(name):
    rendered = render("invite", advocate={**EXAMPLE_CONTEXT["advocate"], "name": name})

    assert rendered.subject == "A friend has an invitation for you"
    assert "evil" not in rendered.html.lower() + rendered.text + str(rendered.whatsapp)


@pytest.mark.parametrize("name", ["J.R.R. Tolkien", "Dr. Ada Lovelace Jr.", "St.John", "O'Neill"])
def test_a_name_with_full_stops_is_still_a_name(name):
    assert render("thank_advocate", friend={"name": name}).subject == f"{name} has used your code"


def test_a_long_name_is_truncated():
    rendered = render("thank_advocate", friend={"name": "F" * 500})

    assert rendered.subject == f"{'F' * 79}… has used your code"


def test_a_hostile_link_stays_in_its_attribute():
    link = 'https://x.example/"><script>&x={{ y }}'
    rendered = render("code_published", advocate={**EXAMPLE_CONTEXT["advocate"], "link": link})

    assert "<script" not in rendered.html
    assert link in page(rendered.html).links
