"""`referrals template …`."""

import json
import webbrowser
from pathlib import Path

import pytest

BROKEN = (
    "{% block subject %}Hello{% endblock %}\n{% block text %}{{ frend }}{% endblock %}\n"
    "{% block html %}Hello{% endblock %}"
)


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The folder of own templates."""
    folder = tmp_path / "own"
    (folder / "spring" / "en").mkdir(parents=True)
    monkeypatch.setenv("REFERRALS_TEMPLATES_DIR", str(folder))
    return folder


def test_a_preview_shows_all_channels_and_keeps_the_mail_for_a_browser(run, tmp_path):
    result = run("template", "preview", "reward_granted", "--locale", "de-AT")

    assert result.code == 0
    assert "de/reward_granted.jinja (service)" in result.out
    assert "Subject: Ihre Prämie ist da" in result.out
    assert "Ihre Prämie: € 25,00" in result.out
    assert "WhatsApp: referral_reward_granted (de, utility)" in result.out
    assert "Ihre Prämie ist da: € 25,00. Sie können sie ab sofort einlösen." in result.out
    page = tmp_path / "data" / "previews" / "reward_granted.html"
    assert f"Mail: {page}" in result.out
    assert page.read_text().startswith("<!doctype html>")


def test_a_preview_opens_the_mail_in_a_browser(run, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)

    run("template", "preview", "invite", "--open")

    assert opened == [(tmp_path / "data" / "previews" / "invite.html").as_uri()]


def test_a_preview_for_machines_has_every_part(run):
    told = run("template", "preview", "invite", "--json").json

    assert told["template"] == "invite"
    assert Path(told["file"]).is_file()
    assert told["purpose"] == told["whatsapp"]["category"] == "marketing"
    assert told["html"].endswith("</html>")
    assert told["whatsapp"]["body"][0]["text"] == "Ada"
    assert told["whatsapp"]["text"].startswith("Good news: you have an invitation from Ada")


def test_a_preview_shows_a_campaigns_own_template(run, own):
    (own / "spring" / "en" / "invite.jinja").write_text(BROKEN.replace("{{ frend }}", "Mine"))

    assert "Mine" not in run("template", "preview", "invite").out
    assert "Mine" in run("template", "preview", "invite", "--campaign", "spring").out


def test_a_preview_of_what_is_not_there_fails(run):
    result = run("template", "preview", "nothing")

    assert result.code == 1
    assert result.err == "Error: there is no template en/nothing.jinja\n"


def test_the_check_of_templates_that_are_all_right(run):
    result = run("template", "check")

    assert (result.code, result.out) == (0, "Nothing is wrong with the templates.\n")


def test_the_check_names_file_and_line_and_fails(run, own):
    (own / "spring" / "en" / "invite.jinja").write_text(BROKEN)

    people, machine = run("template", "check"), run("template", "check", "--json")

    assert people.code == machine.code == 1
    assert "there is no variable 'frend'" in people.out
    finding = machine.json[0]
    assert finding["file"] == str(own / "spring" / "en" / "invite.jinja")
    assert finding["line"] == 2


@pytest.mark.parametrize("wrap", [lambda listed: {"data": listed}, lambda listed: listed])
def test_the_check_compares_with_what_meta_has_approved(run, tmp_path, wrap):
    file = tmp_path / "meta.json"
    file.write_text(json.dumps(wrap([{"name": "referral_invite", "language": "en"}])))

    result = run("template", "check", "--meta", str(file))

    assert result.code == 1
    assert "referral_milestone in de: Meta has none of this name" in result.out
    assert "referral_invite in de: Meta has it in en only" in result.out


@pytest.mark.parametrize(
    ("content", "problem"), [("{", "is not JSON"), ("{}", "has no list of templates")]
)
def test_what_meta_cannot_have_said_is_refused(run, tmp_path, content, problem):
    (tmp_path / "meta.json").write_text(content)

    result = run("template", "check", "--meta", str(tmp_path / "meta.json"))

    assert result.code == 1
    assert problem in result.err
