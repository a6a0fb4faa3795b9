"""`referrals api`: run the HTTP API."""

from typing import Annotated

import typer

from entrypoints.cli.client import load_settings
from entrypoints.cli.errors import CommandError
from entrypoints.cli.output import exit_immediately
from referrals.errors import ReferralsError


def api(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8080,
) -> None:
    """Run the HTTP API until it is interrupted."""
    settings = load_settings()
    from entrypoints.api.main import serve

    try:
        serve(settings, host, port)
    except ReferralsError as error:
        CommandError(f"The API failed to start: {error}").report()
        exit_immediately(1)
    except SystemExit as exited:  # uvicorn has logged the cause
        exit_immediately(1 if exited.code else 0)
    exit_immediately(0)
