"""`referrals qr`: the QR code of a referral link."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from entrypoints.cli.client import ApiClient, api_path


def qr(
    code: Annotated[str, typer.Argument(help="Referral code.")],
    *,
    png: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a PNG to this file instead.")
    ] = None,
    size: Annotated[int, typer.Option(help="Maximum width of the PNG in pixels.")] = 512,
) -> None:
    """Print the QR code of a referral link as SVG. Clicks on it are counted under the channel `qr`."""
    with ApiClient.connect() as client:
        if png:
            png.write_bytes(client.get_bytes(api_path("codes", code, "qr.png"), size=size))
        else:
            sys.stdout.write(client.get_bytes(api_path("codes", code, "qr.svg")).decode())
