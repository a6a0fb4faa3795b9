"""`referrals worker`: run a Temporal worker."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from entrypoints.cli.errors import CommandError


def worker() -> None:
    """Run a worker until it is interrupted. Equivalent to `python worker.py`."""
    file = str(worker_file())
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, file])  # noqa: S606 - runs worker.py of this checkout


def worker_file() -> Path:
    """Return the path of worker.py, which is run as a program and never imported by commands."""
    spec = find_spec("worker")
    if spec is None or spec.origin is None:
        raise CommandError("worker.py is not on Python's path: run `make install` in the checkout.")
    return Path(spec.origin)
