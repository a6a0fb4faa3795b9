"""Temporal's development server, as `referrals dev` and the benchmarks start it."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from entrypoints.cli.errors import CommandError

OPTIONS = (
    "--log-level=error",
    "--sqlite-pragma=journal_mode=wal",
    "--sqlite-pragma=synchronous=normal",
    "--dynamic-config-value=history.transferProcessorMaxPollRPS=2000",
    "--dynamic-config-value=history.timerProcessorMaxPollRPS=2000",
    "--dynamic-config-value=history.visibilityProcessorMaxPollRPS=2000",
    "--dynamic-config-value=matching.enableFairness=true",
    "--dynamic-config-value=system.forceSearchAttributesCacheRefreshOnRead=true",
)


def temporal_options() -> tuple[str, ...]:
    """Return the options of `temporal server start-dev` other than addresses and files."""
    from referrals.temporal.search_attributes import SEARCH_ATTRIBUTE_NAMES

    attributes = (f"--search-attribute={name}=Keyword" for name in SEARCH_ATTRIBUTE_NAMES)
    return (*OPTIONS, *attributes)


def temporal_executable() -> str:
    """Find the `temporal` program of this virtual environment, else on PATH."""
    installed = shutil.which("temporal", path=str(Path(sys.executable).parent))
    if executable := installed or shutil.which("temporal"):
        return executable
    raise CommandError("The `temporal` program is missing: run `make install`.")


def is_temporal_healthy(env: Mapping[str, str]) -> bool:
    """Ask the server at TEMPORAL_ADDRESS."""
    command = [temporal_executable(), "operator", "cluster", "health", "--command-timeout=5s"]
    result = subprocess.run(  # noqa: S603 - fixed arguments
        command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    )
    return result.returncode == 0
