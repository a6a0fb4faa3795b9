"""`referrals customer`."""


def test_show_prints_profile_wallet_and_consents(api, run):
    wallet = {"balances": [{"type": "points", "balance": "150"}], "coupons": []}
    api.answer("GET /v1/customers/cus_1", {"id": "cus_1", "email": "a@example.com"})
    api.answer("GET /v1/customers/cus_1/wallet", wallet)
    consents = [{"channel": "email", "state": "given"}]
    api.answer("GET /v1/customers/cus_1/consents", {"data": consents, "next": None})

    printed = run("customer", "show", "cus_1")
    as_json = run("customer", "show", "cus_1", "--json")

    assert "a@example.com" in printed.out
    assert "150" in printed.out
    assert "given" in printed.out
    shown = {"id": "cus_1", "email": "a@example.com", "wallet": wallet, "consents": consents}
    assert shown == as_json.json


def test_consent_is_recorded_for_the_operator(api, run):
    consents = [{"channel": "email", "state": "withdrawn"}]
    api.answer("POST /v1/customers/cus_1/consents", {"data": consents, "next": None})

    result = run("customer", "consent", "cus_1", "withdrawn", "--channel", "email")

    assert api.requests[0].json == {
        "channel": "email",
        "purpose": "marketing",
        "state": "withdrawn",
        "source": "operator",
    }
    assert "withdrawn" in result.out


def test_merge_shows_the_report_of_a_preview_and_of_the_merge(api, run):
    report = {"customer": "ada", "merged": "guest", "preview": True, "conflicts": []}
    api.answer("POST /v1/customers/ada/merge", report)

    preview = run("customer", "merge", "ada", "guest", "--preview", "--json")
    merged = run("customer", "merge", "ada", "guest", "--reason", "Registered")

    assert preview.json == report
    assert [request.json for request in api.requests] == [
        {"from": "guest", "reason": None, "preview": True},
        {"from": "guest", "reason": "Registered", "preview": False},
    ]
    assert "guest" in merged.out
