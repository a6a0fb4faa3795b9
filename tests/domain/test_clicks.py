import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referrals.domain.clicks import (
    SHARE_CHANNELS,
    clean_click_id,
    code_from_click_id,
    parse_share_channel,
)
from referrals.domain.codes import is_code
from referrals.domain.events import parse_event

ID = "clk_" + "0123456789abcdef" * 2
CLICK = ID[:32] + "_ADA-2026"


def test_a_click_tells_its_code():
    assert code_from_click_id(CLICK) == "ADA-2026"


@pytest.mark.parametrize("click", [None, "", "ADA-2026", ID[:32], ID[:32] + "_", CLICK + "\n"])
def test_what_is_no_click_tells_none(click):
    assert code_from_click_id(click) is None


@given(st.text() | st.from_regex(re.compile(r"clk_[0-9a-f]{28}_.*", re.DOTALL), fullmatch=True))
def test_whatever_a_visitor_carries_it_tells_a_code_or_none(click):
    code = code_from_click_id(click)

    assert code is None or is_code(code)


@given(st.none() | st.text() | st.integers() | st.lists(st.text()) | st.just(CLICK))
def test_whatever_an_event_carries_it_is_a_click_an_empty_one_or_none(value):
    assert clean_click_id(value) in {None, "", value if value == CLICK else ""}


@pytest.mark.parametrize("channel", SHARE_CHANNELS)
def test_a_link_names_the_channel_that_it_was_shared_by(channel):
    assert parse_share_channel(channel) == channel


@given(st.none() | st.text())
def test_a_link_that_names_no_channel_is_the_plain_one(via):
    assert parse_share_channel(via) in SHARE_CHANNELS
    assert parse_share_channel("fax") == parse_share_channel(None) == "link"


def test_a_custom_event_carries_a_click_beside_what_is_its_own():
    data = {"friend": {"id": "fay"}, "click": CLICK, "plan": "gold"}
    event = parse_event(
        {"specversion": "1.0", "id": "1", "source": "app", "type": "subscribed", "data": data}
    )

    assert event.data.click == CLICK
    assert event.data.model_extra == {"plan": "gold"}
