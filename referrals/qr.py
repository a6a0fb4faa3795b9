"""QR codes (ISO/IEC 18004), dark on light, with the quiet zone of four modules that scanners need."""

import io
from typing import Any

import segno

QUIET_ZONE = 4
LEAST_SIZE = 128
MOST_SIZE = 2048


def svg(text: str) -> bytes:
    """Without a size of its own: it fills what it is put into."""
    return _saved(_code(text), kind="svg", omitsize=True, xmldecl=False, light="#fff")


def png(text: str, size: int) -> bytes:
    """At most `size` pixels wide; each module is a whole number of pixels, so that it is sharp."""
    code = _code(text)
    modules, _ = code.symbol_size(border=QUIET_ZONE)
    return _saved(code, kind="png", scale=max(size // int(modules), 1))


def _code(text: str) -> segno.QRCode:
    """It can be read with 15 % of it covered, or more where that costs no space."""
    return segno.make_qr(text, error="m")


def _saved(code: segno.QRCode, **options: Any) -> bytes:
    out = io.BytesIO()
    code.save(out, border=QUIET_ZONE, **options)
    return out.getvalue()
