"""Lists of the documentation name what the code has, all of it and nothing else."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from referrals.channels.template_context import EXAMPLE_CONTEXT
from referrals.domain.event_names import INBOUND, OUTBOUND
from referrals.domain.reasons import RejectReason
from referrals.store import views
from tests.call_graph import ROOT
from tests.docs.pages import prose_of


def cells(page, heading):
    """Return the first cells of the table under a heading, or the cells of one row of a table (`| name |`)."""
    text = prose_of(Path(page))
    if heading.startswith("|"):
        return re.search(rf"^{re.escape(heading)}(.*)\|$", text, re.MULTILINE)[1]
    section = re.split(rf"^#+ {re.escape(heading)}$", text, maxsplit=1, flags=re.MULTILINE)[1]
    section = re.split(r"^#", section, maxsplit=1, flags=re.MULTILINE)[0]
    rows = re.split(r"^\|[ -|]*---[ -|]*$", section, maxsplit=1, flags=re.MULTILINE)[1]
    return "\n".join(re.findall(r"^\| (`[^|]*) \|", rows, re.MULTILINE))


def names(text):
    return sorted(re.findall(r"`(\w+)`", text))


TEMPLATES = {
    path.stem
    for path in (ROOT / "templates" / "messages" / "en").glob("*.jinja")
    if not path.stem.startswith("_")
}


@pytest.mark.parametrize(
    ("page", "heading", "expected"),
    [
        ("docs/webhooks.md", "| `type` |", OUTBOUND),
        ("docs/messages.md", "Variables", {*EXAMPLE_CONTEXT, "locale", "part"}),
        ("docs/messages.md", "Built-in templates", TEMPLATES),
        ("docs/api.md", "Numbers of a campaign", {f.name for f in fields(views.CampaignSummary)}),
        ("docs/api.md", "Activity", views.ONLY_IN_LOG),
        ("README.md", "Connect your shop", INBOUND | {"redemption"}),
    ],
)
def test_a_list_names_what_there_is(page, heading, expected):
    assert names(cells(page, heading)) == sorted(expected)


def test_the_fields_of_a_templates_variables_are_explained():
    text = prose_of(Path("docs/messages.md")).partition("### Variables")[2].partition("###")[0]
    expected = {
        field
        for value in EXAMPLE_CONTEXT.values()
        for fields_of_one in [value[0] if isinstance(value, list) else value]
        if isinstance(fields_of_one, dict)
        for field in fields_of_one
    }

    assert expected - set(names(text)) == set()


def test_every_reason_of_a_rejection_is_explained():
    explained = set(names(prose_of(Path("docs/conversion.md")) + prose_of(Path("docs/orders.md"))))

    unused = {RejectReason.FRAUD_SUSPECTED}  # there are no signals of fraud yet
    assert {str(reason) for reason in RejectReason if reason not in unused} - explained == set()
