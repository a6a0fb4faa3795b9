"""QR codes (ISO/IEC 18004), dark on light, with the quiet zone of four modules that scanners need."""

import io
from typing import Any

import segno

QUIET_ZONE_MODULES = 4
MIN_SIZE_PIXELS = 128
MAX_SIZE_PIXELS = 2048


def svg(text: str) -> bytes:
    """Return an SVG image without a fixed size, so that it scales to its container."""
    return _save(_code(text), kind="svg", omitsize=True, xmldecl=False, light="#fff")


def png(text: str, size: int) -> bytes:
    """Return a PNG image at most `size` pixels wide. Each module is a whole number of pixels, so that it is sharp."""
    code = _code(text)
    modules, _ = code.symbol_size(border=QUIET_ZONE_MODULES)
    return _save(code, kind="png", scale=max(size // int(modules), 1))


def _code(text: str) -> segno.QRCode:
    """Encode the text with error correction level M (15 % of the image can be covered), or higher if it fits."""
    return segno.make_qr(text, error="m")


def _save(code: segno.QRCode, **options: Any) -> bytes:
    out = io.BytesIO()
    code.save(out, border=QUIET_ZONE_MODULES, **options)
    return out.getvalue()
