"""`referrals coupon`."""

POOL = "/v1/campaigns/spring/coupons/welcome"


def test_import_sends_the_file(api, run):
    api.answer(f"POST {POOL}", {"imported": 2, "errors": [], "ignored_columns": []})

    printed = run("coupon", "import", "spring", "welcome", "-", stdin="code\nW-1\nW-2\n")
    as_json = run("coupon", "import", "spring", "welcome", "-", "--json", stdin="code\nW-1\nW-2\n")

    assert api.requests[0].body == b"code\nW-1\nW-2\n"
    assert api.requests[0].headers["content-type"] == "text/csv"
    assert printed.out == "Imported 2 coupons into welcome.\n"
    assert as_json.json == {"imported": 2, "errors": [], "ignored_columns": []}


def test_import_names_the_columns_that_were_not_read(api, run):
    api.answer(f"POST {POOL}", {"imported": 1, "errors": [], "ignored_columns": ["valid_until"]})

    printed = run("coupon", "import", "spring", "welcome", "-", stdin="code;valid_until\nW-1;x\n")

    assert printed.out.endswith("Columns that were not read: valid_until.\n")


def test_invalid_lines_are_reported_and_nothing_is_imported(api, run):
    error = {"line": 3, "column": "code", "reason": "W-1 is a duplicate"}
    api.answer(f"POST {POOL}", {"imported": 0, "errors": [error], "ignored_columns": []})

    result = run("coupon", "import", "spring", "welcome", "-", stdin="code\nW-1\nW-1\n")

    assert result.code == 1
    assert result.err == "Error: No coupon was imported.\n  standard input:3: W-1 is a duplicate\n"


def test_list_counts_the_coupons_of_a_pool(api, run):
    counts = {"available": 5, "issued": 3, "redeemed": 1, "void": 0}
    api.answer(f"GET {POOL}", counts)

    assert "available  5" in run("coupon", "list", "spring", "welcome").out
    assert run("coupon", "list", "spring", "welcome", "--json").json == counts
