"""Commands that look things up: customers, codes, summaries, activity and wallets."""

from urllib.parse import parse_qs, urlsplit

CUSTOMER = {"id": "ada", "name": "Ada", "locale": "en", "customer_since": None, "created_at": "x"}
ENTRY = {
    "id": "7",
    "at": "2026-03-04T10:00:00Z",
    "type": "reward_granted",
    "campaign": "spring",
    "customer": "ada",
    "advocate": "ada",
    "actor": "shop",
    "reason": None,
}


def page(*rows):
    return {"data": list(rows), "next": None}


def test_customers_are_found_by_id_email_and_name(api, run):
    api.answer("GET /v1/customers", page(CUSTOMER))
    shown = run("customer", "list", "--id", "ada", "--email", "ada@x.de", "--name", "Ad")

    assert "Ada" in shown.out
    query = parse_qs(urlsplit(api.requests[0].path).query)
    assert query == {"id": ["ada"], "email": ["ada@x.de"], "name": ["Ad"], "limit": ["100"]}


def test_a_wallet_is_shown_with_its_entries(api, run):
    balances = [{"type": "points", "currency": None, "balance": "50", "pending": "0", "owed": "0"}]
    wallet = {"customer": "ada", "balances": balances, "coupons": []}
    entry = {"at": "2026-03-04T10:00:00Z", "type": "points", "amount": "50", "memo": "Reward"}
    api.answer("GET /v1/customers/ada/wallet", wallet)
    api.answer("GET /v1/customers/ada/wallet/entries", page(entry))

    assert "Reward" in run("customer", "wallet", "ada").out
    assert run("customer", "wallet", "ada", "--json").json == wallet | {"entries": [entry]}


def test_the_activity_of_a_customer_is_that_of_all_campaigns(api, run):
    api.answer("GET /v1/campaigns", page({"campaign": "spring"}, {"campaign": "summer"}))
    api.answer("GET /v1/campaigns/spring/activity", page(ENTRY))
    api.answer("GET /v1/campaigns/summer/activity", page(ENTRY | {"id": "10"}))

    shown = run("customer", "activity", "ada", "--json").json
    assert [entry["id"] for entry in shown] == ["10", "7"]
    assert "customer=ada" in api.requests[-1].path
    assert "reward_granted" in run("campaign", "activity", "spring").out


def test_a_summary_names_what_waits_for_an_operator(api, run):
    api.answer("GET /v1/campaigns/spring/summary", {"codes": 2, "attention": {"rewards_failed": 3}})

    assert "attention.rewards_failed  3" in run("campaign", "summary", "spring").out


def test_a_code_is_shown(api, run):
    code = {"code": "ADA-2026", "campaign": "spring", "customer": "ada", "link": "https://x/r/A"}
    api.answer("GET /v1/codes/ada-2026", code)

    assert "spring" in run("codes", "show", "ada-2026").out
    assert run("codes", "show", "ada-2026", "--json").json == code
