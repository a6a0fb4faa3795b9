"""`referrals template`."""

import json
import webbrowser
from pathlib import Path

import pytest

BROKEN = (
    "{% block subject %}Hello{% endblock %}\n{% block text %}{{ frend }}{% endblock %}\n"
    "{% block html %}Hello{% endblock %}"
)


@pytest.fixture
def custom(tmp_path, monkeypatch):
    """Create a directory for custom templates and set REFERRALS_TEMPLATES_DIR to it."""
    folder = tmp_path / "custom"
    (folder / "spring" / "en").mkdir(parents=True)
    monkeypatch.setenv("REFERRALS_TEMPLATES_DIR", str(folder))
    return folder


def test_preview_prints_all_channels_and_writes_the_email_to_a_file(run, tmp_path):
    result = run("template", "preview", "reward_granted", "--locale", "de-AT")

    assert result.code == 0
    assert "de/reward_granted.jinja (service)" in result.out
    assert "Subject: Ihre Prämie ist da" in result.out
    assert "Ihre Prämie: € 25,00" in result.out
    assert "WhatsApp: referral_reward_granted (de, utility)" in result.out
    assert "Ihre Prämie ist da: € 25,00. Vielen Dank!" in result.out
    page = tmp_path / "data" / "previews" / "reward_granted.html"
    assert f"Email: {page}" in result.out
    assert page.read_text().startswith("<!doctype html>")


def test_preview_opens_the_email_in_a_browser(run, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)

    run("template", "preview", "invite", "--open")

    assert opened == [(tmp_path / "data" / "previews" / "invite.html").as_uri()]


def test_preview_as_json_has_every_part(run):
    message = run("template", "preview", "invite", "--json").json

    assert message["template"] == "invite"
    assert Path(message["file"]).is_file()
    assert message["purpose"] == message["whatsapp"]["category"] == "marketing"
    assert message["html"].endswith("</html>")
    assert message["whatsapp"]["body"][0]["text"] == "Ada"
    assert message["whatsapp"]["text"].startswith("Good news: you have an invitation from Ada")
    assert message["http"]["text"].startswith("Ada invites you to Spring referrals: https://")
    assert message["http"]["data"]["link"].startswith("https://")


def test_preview_uses_the_template_of_the_campaign(run, custom):
    (custom / "spring" / "en" / "invite.jinja").write_text(BROKEN.replace("{{ frend }}", "Mine"))

    assert "Mine" not in run("template", "preview", "invite").out
    assert "Mine" in run("template", "preview", "invite", "--campaign", "spring").out


def test_preview_of_an_unknown_template_fails(run):
    result = run("template", "preview", "zzz")

    assert result.code == 1
    assert result.err == "Error: there is no template en/zzz.jinja\n"


def test_check_accepts_valid_templates(run):
    result = run("template", "check")

    expected = "All templates are valid. Checked: the built-in templates.\n"
    assert (result.code, result.out) == (0, expected)


def test_check_reports_file_and_line(run, custom):
    (custom / "spring" / "en" / "invite.jinja").write_text(BROKEN)

    printed, as_json = run("template", "check"), run("template", "check", "--json")

    assert printed.code == as_json.code == 1
    assert "there is no variable 'frend'" in printed.out
    finding = as_json.json["problems"][0]
    assert as_json.json["checked"] == f"{custom} and the built-in templates"
    assert finding["file"] == str(custom / "spring" / "en" / "invite.jinja")
    assert finding["line"] == 2


def test_check_looks_at_the_running_engine(run, api, custom):
    problem = {"file": "/srv/en/invite.jinja", "line": 0, "problem": "there is no block text"}
    api.answer("POST /v1/templates/check", {"templates": "/srv", "problems": [problem]})

    result = run("template", "check")
    assert result.code == 1
    assert "there is no block text" in result.out
    assert f"Checked: /srv and the built-in templates of {api.url}." in result.out
    here = run("template", "check", "--dir", str(custom), "--json").json
    assert here["checked"] == f"{custom} and the built-in templates"


@pytest.mark.parametrize("wrap", [lambda listed: {"data": listed}, lambda listed: listed])
def test_check_compares_with_the_templates_approved_by_meta(run, tmp_path, wrap):
    file = tmp_path / "meta.json"
    file.write_text(json.dumps(wrap([{"name": "referral_invite", "language": "en"}])))

    result = run("template", "check", "--meta", str(file))

    assert result.code == 1
    assert "referral_milestone in de: Meta has none of this name" in result.out
    assert "referral_invite in de: Meta has it only in en" in result.out


@pytest.mark.parametrize(
    ("content", "message"), [("{", "is not valid JSON"), ("{}", "contains no list of templates")]
)
def test_check_rejects_an_invalid_response_of_meta(run, tmp_path, content, message):
    (tmp_path / "meta.json").write_text(content)

    result = run("template", "check", "--meta", str(tmp_path / "meta.json"))

    assert result.code == 1
    assert message in result.err


def test_check_fails_without_templates(run, tmp_path, monkeypatch):
    monkeypatch.setattr("referrals.channels.templates.BUILTIN_DIR", tmp_path)

    result = run("template", "check")

    assert (result.code, result.out) == (1, "")
    assert result.err == f"Error: There are no templates in {tmp_path}.\n"
