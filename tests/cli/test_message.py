"""`referrals message`."""


def test_list_prints_why_a_message_was_not_sent(api, run):
    reason = {"code": "no_consent", "message": "Not consented."}
    rows = [{"id": "msg_1", "state": "failed", "reason": reason}]
    api.answer("GET /v1/campaigns/spring/messages", {"data": rows, "next": None})

    result = run("message", "list", "spring", "--state", "failed")

    assert api.requests[0].path == "/v1/campaigns/spring/messages?state=failed&limit=100"
    assert "no_consent" in result.out


def test_blocks_and_suppressions_are_listed_and_lifted(api, run):
    block = {"id": "7", "channel": "whatsapp", "template": None}
    api.answer("GET /v1/blocks", {"data": [block], "next": None})
    api.answer("GET /v1/suppressions", {"data": [{"customer": "cus_1"}], "next": None})
    api.answer("DELETE /v1/blocks/7", b"", 204)
    api.answer("DELETE /v1/customers/cus_1/suppressions/email", b"", 204)

    assert "whatsapp" in run("message", "blocks").out
    assert run("message", "unblock", "7").code == 0
    assert run("message", "suppressions", "--json").json == [{"customer": "cus_1"}]
    assert run("message", "lift", "cus_1", "email").code == 0
