"""Template checks."""

import shutil

import pytest

from referrals.channels import templates
from referrals.channels.errors import TemplateError
from referrals.channels.template_checks import check_templates
from referrals.channels.templates import TEMPLATES_DIR, Templates

SOURCE = """\
---
purpose: service
events: [referral_converted]
whatsapp:
  template: hello
  text: "Hello {{1}}, you have {{2}} friends."
  body: ["{{ advocate.code }}", "{{ advocate.count }}"]
  buttons: ["{{ advocate.code }}"]
---
{% extends "en/_layout.jinja" %}
{% block subject %}Hello{% endblock %}
{% block email %}
<mj-text>Hello</mj-text>
{% endblock %}
{% block text %}Hello{% endblock %}
"""
APPROVED = {
    "name": "hello",
    "language": "en",
    "status": "APPROVED",
    "category": "UTILITY",
    "components": [
        {"type": "BODY", "text": "Hello {{1}}, you have {{2}} friends."},
        {"type": "BUTTONS", "buttons": [{"type": "URL", "url": "https://shop.example/r/{{1}}"}]},
    ],
}


@pytest.fixture(scope="module")
def few_templates(tmp_path_factory):
    """Return a folder with one of the built-in messages; checking them all takes seconds."""
    folder = tmp_path_factory.mktemp("built-in")
    for path in templates.BUILTIN_DIR.rglob("*.jinja"):
        if path.name.startswith("_") or path.name == "invite.jinja":
            copy = folder / path.relative_to(templates.BUILTIN_DIR)
            copy.parent.mkdir(exist_ok=True)
            shutil.copy(path, copy)
    return folder


@pytest.fixture
def found(tmp_path, few_templates, monkeypatch):
    """Return the findings of these files as `file, line: problem`; the built-in files have none."""
    monkeypatch.setattr(templates, "BUILTIN_DIR", few_templates)

    def find(files, approved=None):
        for name, source in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(source)
        listed = approved and [*built_in(), *approved]
        return [
            f"{finding.file.removeprefix(f'{tmp_path}/')}, {finding.line}: {finding.problem}"
            for finding in check_templates(Templates(tmp_path), listed)
        ]

    return find


def built_in():
    """Return Meta's list after approval of the built-in templates."""
    files = Templates().for_campaign(None)
    for path in files.files():
        front = files.front_matter(path)
        if front.whatsapp:
            url = {"type": "URL", "url": "https://shop.example/r/{{1}}"}
            buttons = [{"type": "BUTTONS", "buttons": [url]}] if front.whatsapp.buttons else []
            yield {
                "name": front.whatsapp.template,
                "language": path.partition("/")[0],
                "status": "APPROVED",
                "category": {"service": "UTILITY", "marketing": "MARKETING"}[front.purpose],
                "components": [{"type": "BODY", "text": front.whatsapp.text}, *buttons],
            }


def both(source=SOURCE, german=None):
    return {"en/hello.jinja": source, "de/hello.jinja": german or source}


def test_the_built_in_templates_are_valid():
    assert check_templates(Templates()) == []
    assert check_templates(Templates(), list(built_in())) == []


def test_valid_templates_have_no_findings(found):
    german = APPROVED | {"language": "de"}

    assert found(both(), [APPROVED, german]) == []


def test_an_unknown_variable_is_reported_with_file_and_line(found):
    source = SOURCE.replace("<mj-text>Hello", "<mj-text>{{ frend.name }}")

    (finding,) = found({"de/hello.jinja": source, "en/hello.jinja": SOURCE})

    assert finding.startswith("de/hello.jinja, 13: there is no variable 'frend'")


def test_a_variable_that_the_event_does_not_have(found):
    source = SOURCE.replace("<mj-text>Hello", "<mj-text>{{ milestone.at }}")

    (finding, _) = found(both(source))

    assert finding.startswith("de/hello.jinja, 13: there is no value at")


def test_a_file_without_events_is_rendered_too(found):
    source = SOURCE.replace("events: [referral_converted]\n", "").replace(
        "<mj-text>Hello", "<mj-text>{{ friend.nme }}"
    )

    (finding, _) = found(both(source))

    assert finding.startswith("de/hello.jinja, 12: there is no value nme")


def test_a_locale_without_a_message_is_reported(found):
    assert found({"en/hello.jinja": SOURCE}) == [
        "de/hello.jinja, 0: is missing, although other messages exist in this locale"
    ]


def test_a_message_without_an_english_file_is_reported(found):
    assert found({"de/hello.jinja": SOURCE}) == [
        "en/hello.jinja, 0: is missing, and all other locales fall back to it"
    ]


def test_a_regional_locale_may_fall_back_to_its_language(found):
    assert found(both() | {"de-AT/hello.jinja": SOURCE}) == []


def test_a_new_language_needs_all_messages_and_reward_texts(found):
    findings = found(both() | {"fr/hello.jinja": SOURCE})

    assert (
        "fr/_reward.jinja, 0: is missing, although other messages exist in this locale" in findings
    )
    assert (
        "fr/invite.jinja, 0: is missing, although other messages exist in this locale" in findings
    )
    assert len(findings) == 2


def test_a_locale_that_uses_other_variables_than_english_is_reported(found):
    more = SOURCE.replace("<mj-text>Hello", "<mj-text>{{ friend.name }}")

    assert found(both(german=more)) == [
        "de/hello.jinja, 0: uses friend, friend.name, unlike en/hello.jinja"
    ]
    assert found(both(source=more, german=SOURCE)) == [
        "de/hello.jinja, 0: does not use friend, friend.name, unlike en/hello.jinja"
    ]


def test_a_locale_with_another_purpose_is_reported(found):
    marketing = SOURCE.replace("purpose: service", "purpose: marketing")

    assert found(both(german=marketing)) == [
        "de/hello.jinja, 0: is a marketing message, unlike en/hello.jinja"
    ]


@pytest.mark.parametrize(
    ("old", "new", "has"),
    [
        (
            ' friends."\n  body: ["{{ advocate.code }}", "{{ advocate.count }}"]',
            ' of {{3}}."\n  body: ["{{ advocate.code }}", "{{ advocate.count }}", "{{ advocate.count }}"]',
            "hello (body: text, text, text; buttons: 1)",
        ),
        (
            '"{{ advocate.count }}"]',
            'date_time: "{{ advocate.count }}"]',
            "hello (body: text, date_time; buttons: 1)",
        ),
        ('  buttons: ["{{ advocate.code }}"]\n', "", "hello (body: text, text)"),
        ("template: hello", "template: hallo", "hallo (body: text, text; buttons: 1)"),
    ],
)
def test_whatsapp_parameters_that_differ_between_locales(found, old, new, has):
    (finding,) = found(both(german=SOURCE.replace(old, new)))

    expected = "hello (body: text, text; buttons: 1)"
    assert finding == (
        f"de/hello.jinja, 0: has the WhatsApp template {has}, not {expected} as en/hello.jinja"
    )


def test_parameters_that_do_not_fit_the_text(found):
    (finding, _) = found(both(SOURCE.replace("{{2}} friends", "friends")))

    assert finding.startswith(
        "de/hello.jinja, 4: whatsapp: has 2 parameters in its body, but its text has {{1}}"
    )


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("<mj-text>Hello", "<mj-txt>Hello", "13: MJML has no element <mj-txt>"),
        ("Hello</mj-text>", "Hello", "13: <mj-text> is never closed"),
        ("<mj-text>Hello", "Hello", "13: </mj-text> has no opening tag"),
    ],
)
def test_mjml_that_the_renderer_would_drop_is_reported(found, old, new, finding):
    assert f"en/hello.jinja, {finding}" in found(both(SOURCE.replace(old, new)))


def test_invalid_mjml_is_reported(found):
    (finding, _) = found(both(SOURCE.replace("<mj-text>Hello</mj-text>", "<mj-text")))

    assert finding.startswith("de/hello.jinja, 0: the email is not valid MJML")


def test_a_parameter_that_can_be_empty_is_reported(found):
    (finding, _) = found(
        both(SOURCE.replace('["{{ advocate.code }}", ', '["{{ advocate.name }}", '))
    )

    assert finding.startswith(
        "de/hello.jinja, 7: this placeholder of the WhatsApp template can be empty"
    )


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"name": "other"}, "Meta has it only in de"),
        ({"language": "en_US"}, "Meta has it only in de, en_US"),
        ({"status": "PAUSED"}, "its status is PAUSED"),
        (
            {"category": "MARKETING"},
            "Meta's category is MARKETING, but a service message needs UTILITY",
        ),
        (
            {
                "components": [
                    {"type": "BODY", "text": "Hello {{1}}, you have 2 friends."},
                    APPROVED["components"][1],
                ]
            },
            "body has 2 parameters here, 1 at Meta",
        ),
        ({"components": APPROVED["components"][:1]}, "buttons has 1 parameters here, 0 at Meta"),
        (
            {"components": [*APPROVED["components"], {"type": "HEADER", "text": "Hi {{1}}"}]},
            "header has 0 parameters here, 1 at Meta",
        ),
        (
            {
                "components": [
                    {"type": "BODY", "text": "Hi {{1}}, you have {{2}} friends."},
                    APPROVED["components"][1],
                ]
            },
            "its text differs from the text at Meta",
        ),
    ],
)
def test_a_difference_from_what_meta_approved_is_reported(found, change, problem):
    german = APPROVED | {"language": "de"}

    findings = found(both(), [APPROVED | change, german])

    assert f"en/hello.jinja, 0: the WhatsApp template hello in en: {problem}" in findings


def test_a_campaigns_own_files_are_checked_as_it_sees_them(found):
    broken = SOURCE.replace("<mj-text>Hello", "<mj-text>{{ frend }}")

    (finding,) = found(both() | {"spring/en/hello.jinja": broken})

    assert finding.startswith("spring/en/hello.jinja, 13: there is no variable 'frend'")


def test_a_template_unknown_to_meta_is_reported(found):
    first, second = found(both(), [{"name": "other"}])

    assert first.endswith("the WhatsApp template hello in de: Meta has none of this name")
    assert second.endswith("the WhatsApp template hello in en: Meta has none of this name")


def test_an_invalid_reward_file_is_reported(found):
    findings = found({"en/_reward.jinja": "{% block label %}{{ nothing }}{% endblock %}"})

    assert any(
        one.startswith("en/_reward.jinja, 1: there is no variable nothing") for one in findings
    )


PAGES = (TEMPLATES_DIR / "pages" / "en.jinja").read_text()


def test_the_pages_of_another_language_are_checked(found):
    assert found({"pages/fr.jinja": PAGES.replace("block code_label", "block code")}) == [
        "pages/fr.jinja, 0: there is no block code_label"
    ]


@pytest.mark.parametrize(
    ("text", "replacement", "problem"),
    [
        ("at_checkout", "at_till", "there is no variable at_till"),
        ("unwanted() | trim", "wanted() | trim", "there is no variable wanted"),
        ("{% endmacro %}", "", "the end of a tag or block is missing"),
        ("_page.jinja", "_layout.jinja", "there is no template|_layout.jinja"),
    ],
)
def test_a_mistake_in_the_pages_of_a_language(tmp_path, text, replacement, problem):
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "fr.jinja").write_text(PAGES.replace(text, replacement))
    with pytest.raises(TemplateError, match=problem):
        Templates(tmp_path).for_campaign(None).check_pages("pages/fr.jinja")
