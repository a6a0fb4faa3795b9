"""`referrals publish`."""

import json


def test_publish_sends_only_the_given_options(api, run):
    api.answer(
        "POST /v1/campaigns/spring/publications",
        {"code": "S-1", "link": "http://r/S-1", "share": {"whatsapp": "https://wa.me/?text=S-1"}},
    )

    result = run("publish", "spring", "cus_1", "--email", "a@example.com", "--channel", "email")

    assert (api.requests[0].json) == {
        "customer": {"id": "cus_1", "email": "a@example.com"},
        "channel": "email",
    }
    assert "S-1" in result.out
    assert "https://wa.me/?text=S-1" in result.out


def test_queued_publication_fails_because_it_has_no_code(api, run):
    queued = {"event": None, "state": "queued"}
    api.answer("POST /v1/campaigns/spring/publications", queued, status=202)

    result = run("publish", "spring", "ada")

    assert (result.code, result.out) == (1, "")
    assert "queued" in result.err
    assert "same command again" in result.err
    assert json.loads(run("publish", "spring", "ada", "--json").err)["state"] == "queued"
