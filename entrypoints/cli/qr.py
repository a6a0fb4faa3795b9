"""`referrals qr`: the QR code of a referral link."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from entrypoints.cli.client import Api, load_settings, path


def qr(
    code: Annotated[str, typer.Argument(help="The referral code.")],
    *,
    png: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a PNG to this file instead.")
    ] = None,
    size: Annotated[int, typer.Option(help="The most pixels in width of the PNG.")] = 512,
) -> None:
    """Print the QR code of a referral link as SVG. Clicks of it are counted by the channel `qr`."""
    with Api.of(load_settings()) as api:
        if png:
            png.write_bytes(api.content(path("codes", code, "qr.png"), size=size))
        else:
            sys.stdout.write(api.content(path("codes", code, "qr.svg")).decode())
