"""`referrals worker` and `api`: one process each, for as many machines as it takes."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from entrypoints.cli.client import load_settings
from entrypoints.cli.output import Failure, leave


def worker() -> None:
    """Run one worker until it is interrupted; the same as `python worker.py`."""
    file = str(worker_file())
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, file])  # noqa: S606 - our own file


def api(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8080,
) -> None:
    """Run the HTTP API until it is interrupted."""
    settings = load_settings()
    from entrypoints.api.main import serve

    try:
        serve(settings, host, port)
    except RuntimeError as error:  # what Temporal's client raises where nothing answers
        Failure(f"The API ended: {error}").report()
        leave(1)
    except SystemExit as ended:  # uvicorn has said why
        leave(1 if ended.code else 0)
    leave(0)


def worker_file() -> Path:
    """`worker.py`, the worker's own program: commands start it, they do not import it."""
    spec = find_spec("worker")
    if spec is None or spec.origin is None:
        raise Failure("worker.py is not on Python's path: run `make install` in the checkout.")
    return Path(spec.origin)
