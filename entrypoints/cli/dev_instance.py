"""The data directory, ports and processes of one `referrals dev`."""

import fcntl
import os
import random
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from entrypoints.cli.errors import CommandError
from entrypoints.cli.supervisor import SupervisedProcess
from entrypoints.cli.temporal_server import temporal_executable, temporal_options
from entrypoints.cli.worker import worker_file
from referrals.domain.webhook_signatures import new_webhook_secret

if TYPE_CHECKING:
    from pydantic import SecretStr

    from referrals.settings import Settings

HOST = "127.0.0.1"
PORT_RELEASE_TIMEOUT = timedelta(seconds=3)
"""Maximum time to wait for the ports of a `referrals dev` that was just killed."""
PORT_RETRY_DELAY = timedelta(milliseconds=100)


@dataclass(frozen=True)
class DevInstance:
    """Data directory, database, API key and ports of one `referrals dev`."""

    data_dir: Path
    database_url: str
    api_key: str
    secrets: Mapping[str, str] = field(repr=False)
    """Variables with the secrets of identity and of webhooks."""
    port: int
    temporal_port: int
    ui_port: int

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def temporal_address(self) -> str:
        return f"{HOST}:{self.temporal_port}"

    @property
    def address_files(self) -> dict[Path, str]:
        """Files through which other commands find this instance while it runs."""
        return {
            self.data_dir / "api-url": self.url,
            self.data_dir / "temporal-address": self.temporal_address,
        }

    def environment(self) -> dict[str, str]:
        """Return the environment of the processes, without the Temporal profile of the shell."""
        env = {key: value for key, value in os.environ.items() if not key.startswith("TEMPORAL_")}
        env.setdefault("REFERRALS_PUBLIC_URL", self.url)
        env.setdefault("REFERRALS_WEBHOOKS_ALLOW_PRIVATE", "true")
        return env | {
            **self.secrets,
            "REFERRALS_DATABASE_URL": self.database_url,
            "TEMPORAL_ADDRESS": self.temporal_address,
            "TEMPORAL_NAMESPACE": "default",
            "TEMPORAL_CONFIG_FILE": os.devnull,
        }

    def temporal(self) -> SupervisedProcess:
        return self._process(
            "temporal",
            *(temporal_executable(), "server", "start-dev"),
            *(f"--ip={HOST}", f"--port={self.temporal_port}", f"--ui-port={self.ui_port}"),
            f"--db-filename={self.data_dir / 'temporal.db'}",
            *temporal_options(),
        )

    def worker(self) -> SupervisedProcess:
        return self._process("worker", sys.executable, str(worker_file()))

    def api(self) -> SupervisedProcess:
        command = (sys.executable, "-P", "-m", "entrypoints.cli.main", "api")
        return self._process("api", *command, "--host", HOST, "--port", str(self.port))

    def _process(self, name: str, *command: str) -> SupervisedProcess:
        log = self.data_dir / f"{name}.log"
        return SupervisedProcess(name, command, log, self.environment())


@contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    """Hold the lock of the directory. The operating system releases it when the process ends."""
    with (data_dir / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandError(f"Another `referrals dev` is running in {data_dir}.") from error
        yield


def load_or_create_key(settings: "Settings", data_dir: Path) -> str:
    """Return REFERRALS_API_KEY, else the key of the previous start, else a new key; store it for other commands."""
    return _load_or_create(data_dir / "api-key", settings.api_key, lambda: f"rk_{_new_secret()}")


def load_or_create_secrets(settings: "Settings", data_dir: Path) -> dict[str, str]:
    """Return the variables of the secrets: as configured, else those of the previous start, else new ones."""
    webhooks = data_dir / "webhook-secret"
    return {
        "REFERRALS_REWARD_KEY_SECRET": _load_or_create(
            data_dir / "reward-key-secret", settings.reward_key_secret
        ),
        "REFERRALS_IDENTITY_SECRETS": _load_or_create(
            data_dir / "identity-secrets", settings.identity_secrets, lambda: f"dev:{_new_secret()}"
        ),
        "REFERRALS_WEBHOOK_SECRET": _load_or_create(
            webhooks, settings.webhook_secret, new_webhook_secret
        ),
    }


def _new_secret() -> str:
    return secrets.token_urlsafe(32)


def _load_or_create(
    file: Path, configured: "SecretStr | None", create: Callable[[], str] = _new_secret
) -> str:
    """Return the configured secret, else the stored one, else a new one, and store it for its owner alone."""
    stored = file.read_text().strip() if file.exists() else ""
    given = configured.get_secret_value() if configured else ""
    secret = given or stored or create()
    file.touch(mode=0o600)
    file.chmod(0o600)
    if secret != stored:
        file.write_text(secret)
    return secret


FREE_PORTS = range(20_000, 32_000)
"""Below the ports that systems give to outgoing connections: one of those could take a port before its process listens."""


def find_ports(requested: Mapping[str, int]) -> list[int]:
    """Return a usable port for each option; 0 means any free port.

    All are bound at the same time, so that they differ, and released on return.
    """
    with ExitStack() as sockets:
        return [_bind(sockets, option, port) for option, port in requested.items()]


def _bind(sockets: ExitStack, option: str, port: int) -> int:
    listener = sockets.enter_context(socket.socket())
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    deadline = time.monotonic() + PORT_RELEASE_TIMEOUT.total_seconds()
    while True:
        try:
            listener.bind((HOST, port or random.choice(FREE_PORTS)))  # noqa: S311 - no secret
            listener.listen()
        except OSError as error:
            if time.monotonic() > deadline:
                message = f"Port {port} is in use: choose another with {option}."
                raise CommandError(message) from error
            time.sleep(PORT_RETRY_DELAY.total_seconds())
        else:
            return int(listener.getsockname()[1])
