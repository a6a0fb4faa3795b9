"""A running `referrals dev` whose worker, API and Temporal server are killed at random moments."""

import asyncio
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

HEADERS = {"Authorization": "Bearer chaos-key"}


@dataclass
class DevProcess:
    """A running `referrals dev`."""

    process: asyncio.subprocess.Process
    url: str
    data_dir: Path

    async def is_ready(self) -> bool:
        async with httpx.AsyncClient(base_url=self.url) as http:
            try:
                return (await http.get("/health/ready")).is_success
            except httpx.TransportError:
                return False

    def worker_starts(self) -> int:
        """Count the times that a worker has started to poll, by its log."""
        return (self.data_dir / "worker.log").read_text().count('"worker started"')

    def kill(self, name: str) -> bool:
        """Kill the worker, the API or Temporal with SIGKILL. Return false if it is not running."""
        arguments = {"worker": "worker.py", "api": "entrypoints.cli.main", "temporal": "start-dev"}
        for child in (
            Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ):
            try:
                command = Path(f"/proc/{child}/cmdline").read_text()
                if arguments[name] in command:
                    os.kill(int(child), signal.SIGKILL)
                    return True
            except (FileNotFoundError, ProcessLookupError):
                continue
        return False


@asynccontextmanager
async def running_dev(data_dir: Path, **settings: str) -> AsyncIterator[DevProcess]:
    """Start `referrals dev` on free ports with these settings, and stop it at the end."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("REFERRALS_")}
    command = (
        *(sys.executable, "-m", "entrypoints.cli.main", "dev", "--data-dir", str(data_dir)),
        *("--port", "0", "--temporal-port", "0", "--ui-port", "0"),
    )
    with (data_dir / "dev.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env=env | {"REFERRALS_API_KEY": "chaos-key"} | settings,
        )
    assert process.stdout
    ready = (await asyncio.wait_for(process.stdout.readline(), 120)).decode()
    assert ready.startswith("ready http://"), (data_dir / "dev.log").read_text()
    try:
        yield DevProcess(process, ready.split()[1], data_dir)
    finally:
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 60) == 0


class Shop:
    """Sends each event with the same id until it is answered."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def send(self, event_id: str, kind: str, data: dict[str, Any]) -> dict[str, Any]:
        event = {"specversion": "1.0", "id": event_id, "source": "shop", "type": kind}
        return await self.post("/v1/events", event | {"data": data})

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        while True:
            try:
                answer = await self._http.post(path, json=body)
            except httpx.TransportError:
                await asyncio.sleep(0.5)
                continue
            if answer.status_code == httpx.codes.OK:
                return answer.json()
            assert answer.status_code in (202, 503), answer.text
            await asyncio.sleep(0.5)


async def kill_repeatedly(
    dev: DevProcess, rng: random.Random, killed: Counter[str], delay: tuple[float, float] = (2, 8)
) -> None:
    """Kill the worker repeatedly and Temporal once, and count the kills. Wait for the restart after each.

    `delay` is the minimum and maximum number of seconds between two kills.
    """
    while True:
        await asyncio.sleep(rng.uniform(*delay))
        name = "temporal" if killed["worker"] == 2 and not killed["temporal"] else "worker"
        starts = dev.worker_starts()
        was_killed = dev.kill(name)
        killed[name] += was_killed
        # On a busy machine a worker takes longer to start than the delay: kill none that has not worked.
        while not await dev.is_ready() or (
            was_killed and name == "worker" and dev.worker_starts() == starts
        ):
            await asyncio.sleep(0.2)
