"""`referrals coupon …`."""

POOL = "/v1/campaigns/spring/coupons/welcome"


def test_a_file_of_codes_is_imported(api, run):
    api.answer(f"POST {POOL}", {"imported": 2, "errors": []})

    people = run("coupon", "import", "spring", "welcome", "-", stdin="code\nW-1\nW-2\n")
    machine = run("coupon", "import", "spring", "welcome", "-", "--json", stdin="code\nW-1\nW-2\n")

    assert api.requests[0].body == b"code\nW-1\nW-2\n"
    assert api.requests[0].headers["content-type"] == "text/csv"
    assert people.out == "2 coupons were added to welcome.\n"
    assert machine.json == {"imported": 2, "errors": []}


def test_lines_that_are_refused_are_named_and_the_command_fails(api, run):
    fault = {"line": 3, "column": "code", "reason": "W-1 is there twice"}
    api.answer(f"POST {POOL}", {"imported": 0, "errors": [fault]})

    result = run("coupon", "import", "spring", "welcome", "-", stdin="code\nW-1\nW-1\n")

    assert result.code == 1
    assert result.err == "Error: Nothing was imported.\n  -:3: W-1 is there twice\n"


def test_a_pool_is_counted(api, run):
    counts = {"available": 5, "issued": 3, "redeemed": 1, "void": 0}
    api.answer(f"GET {POOL}", counts)

    assert "available  5" in run("coupon", "list", "spring", "welcome").out
    assert run("coupon", "list", "spring", "welcome", "--json").json == counts
