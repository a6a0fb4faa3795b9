"""`referrals qr`."""

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"/>\n'
PNG = b"\x89PNG\r\n\x1a\n\x00"


def test_svg_is_printed(api, run):
    api.answer("GET /v1/codes/ADA-2026/qr.svg", SVG)

    assert run("qr", "ADA-2026").out == SVG.decode()


def test_png_is_written_to_a_file(api, run, tmp_path):
    api.answer("GET /v1/codes/ADA-2026/qr.png", PNG)
    file = tmp_path / "ada.png"

    result = run("qr", "ADA-2026", "--png", str(file), "--size", "1024")

    assert (result.code, result.out) == (0, "")
    assert file.read_bytes() == PNG
    assert api.requests[0].path.endswith("?size=1024")


def test_unknown_code_writes_no_file(api, run, tmp_path):
    problem = {"title": "Not found", "detail": "There is no code ADA-2026."}
    api.answer("GET /v1/codes/ADA-2026/qr.png", problem, status=404)
    file = tmp_path / "ada.png"

    result = run("qr", "ADA-2026", "--png", str(file))

    assert (result.code, result.err) == (1, "Error: There is no code ADA-2026.\n")
    assert not file.exists()
