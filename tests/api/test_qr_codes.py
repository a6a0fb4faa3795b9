"""QR codes of referral links."""

import io
import struct
import zlib
from xml.etree import ElementTree as ET

import pytest
import segno

from tests.api.conftest import Api
from tests.api.problems import problem

QUIET_ZONE = 4


def expected(code: str) -> list[list[int]]:
    """The modules of the link's QR code, with the quiet zone."""
    drawn = segno.make_qr(f"https://go.example/r/{code}?via=qr", error="m")
    return [list(row) for row in drawn.matrix_iter(border=QUIET_ZONE)]


def pixels(png: bytes) -> list[list[int]]:
    """1 for each dark pixel of a PNG with one bit a pixel, whose lines may be differences to those above."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    stream, chunks = io.BytesIO(png[8:]), {}
    while header := stream.read(8):
        length, kind = struct.unpack(">I4s", header)
        chunks[kind] = chunks.get(kind, b"") + stream.read(length)
        stream.read(4)
    width, height, depth, colours, *_ = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, colours) == (1, 0), "one bit a pixel, grey: 0 is dark"
    data, line = zlib.decompress(chunks[b"IDAT"]), 1 + (width + 7) // 8
    above, found = bytes(line - 1), []
    for at in range(0, height * line, line):
        how, row = data[at], data[at + 1 : at + line]
        assert how in (0, 2), "as it is, or the difference to the line above"
        above = bytes((a + b) % 256 for a, b in zip(above, row, strict=True)) if how else row
        found.append([1 - (above[x // 8] >> (7 - x % 8) & 1) for x in range(width)])
    return found


@pytest.mark.parametrize("size", [128, 512, 2048])
async def test_a_png_encodes_the_link_in_whole_pixels_with_a_quiet_zone(api: Api, size: int):
    code = await api.harness.publish("spring", "ada")
    response = await api.get(f"/v1/codes/{code.lower()}/qr.png?size={size}")
    modules, found = expected(code), pixels(response.content)
    scale = size // len(modules)

    assert response.headers["content-type"] == "image/png"
    assert len(found) == len(found[0]) == scale * len(modules) <= size
    assert found == [
        [module for module in row for _ in range(scale)] for row in modules for _ in range(scale)
    ]
    assert not any(map(any, found[: QUIET_ZONE * scale]))


async def test_an_svg_encodes_the_link_on_a_light_background_and_scales(api: Api):
    code = await api.harness.publish("spring", "ada")
    response = await api.get(f"/v1/codes/{code}/qr.svg")
    drawing = ET.fromstring(response.text)
    modules = expected(code)
    ground, dark = drawing

    assert response.headers["content-type"] == "image/svg+xml"
    assert drawing.attrib["viewBox"] == f"0 0 {len(modules)} {len(modules)}"
    assert "width" not in drawing.attrib
    assert (ground.attrib["fill"], dark.attrib["stroke"]) == ("#fff", "#000")


@pytest.mark.parametrize("name", ["qr.svg", "qr.png"])
async def test_an_unchanged_image_is_answered_304(api: Api, name: str):
    path = f"/v1/codes/{await api.harness.publish('spring', 'ada')}/{name}"
    first = await api.get(path)
    tag = first.headers["etag"]
    repeated = await api.get(path, headers={"if-none-match": f'"other", W/{tag}'})
    changed = await api.get(path, headers={"if-none-match": '"other"'})

    assert first.headers["cache-control"] == "private, max-age=86400"
    assert (repeated.status_code, repeated.content, repeated.headers["etag"]) == (304, b"", tag)
    assert (changed.status_code, changed.content) == (200, first.content)


@pytest.mark.parametrize("name", ["qr.svg", "qr.png"])
async def test_a_qr_code_needs_a_key_and_a_known_code(api: Api, name: str):
    code = await api.harness.publish("spring", "ada")

    problem(
        await api.get(f"/v1/codes/{code}/{name}", headers={"authorization": ""}),
        401,
        "unauthorised",
    )
    problem(await api.get(f"/v1/codes/UNKNOWN-1/{name}"), 404, "unknown-code")


@pytest.mark.parametrize("size", ["127", "2049", "big", "-1", ""])
async def test_a_size_out_of_bounds_is_invalid(api: Api, size: str):
    code = await api.harness.publish("spring", "ada")
    response = await api.get(f"/v1/codes/{code}/qr.png?size={size}")

    (error,) = problem(response, 422, "invalid-request")["errors"]
    assert error["field"] == "size"
