"""Settings of a deployment, read from `REFERRALS_*` environment variables.

The connection to Temporal is configured by Temporal's own variables (`TEMPORAL_ADDRESS`, profiles, …).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from referrals.domain.event_fields import DeliverableEmail
from referrals.domain.identity import IdentityOptions
from referrals.domain.message_timing import FrequencyCapText, QuietHoursText
from referrals.domain.validation_messages import field_errors
from referrals.domain.webhook_signatures import MIN_SIGNING_KEY_LENGTH, signing_key
from referrals.domain.webhook_urls import check_webhook_url
from referrals.errors import FieldError, ReferralsError

ASYNC_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
ASYNC_DRIVERS["postgres"] = ASYNC_DRIVERS["postgresql"]


@dataclass(frozen=True)
class DatabaseOptions:
    """Options of one process's database connections: see the settings `database_…`."""

    pool_size: int = 30
    ping_after_idle: timedelta = timedelta(seconds=5)
    statement_cache_size: int = 500
    busy_timeout: timedelta = timedelta(seconds=20)


MIN_SECRET_LENGTH = 32
MAX_HTTP_MESSAGES_TIMEOUT = timedelta(seconds=20)
"""Limit below that of an attempt to send a message, which contains the call."""
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")


def _parse_secrets(text: str) -> tuple[tuple[str, str], ...]:
    """Parse `id:secret,id:secret`. Raises ValueError, without the secrets."""
    secrets = []
    for part in text.split(","):
        key_id, _, secret = part.strip().partition(":")
        if not _KEY_ID.fullmatch(key_id) or len(secret) < MIN_SECRET_LENGTH:
            raise ValueError(
                "must be id:secret, separated by commas: ids of letters and digits, "
                f"and secrets of at least {MIN_SECRET_LENGTH} characters"
            )
        secrets.append((key_id, secret))
    if len({key_id for key_id, _ in secrets}) < len(secrets):
        raise ValueError("must not have two secrets with one id")
    return tuple(secrets)


def without_password(url: str) -> str:
    """Return a database URL as it is configured, without its driver and password."""
    parsed = make_url(url)
    return parsed.set(drivername=parsed.get_backend_name()).render_as_string(hide_password=True)


class SettingsError(ReferralsError):
    """Settings that are missing or invalid, by the names of their variables."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{error.field} {error.message}" for error in errors))
        self.errors = tuple(errors)


class Settings(BaseSettings):
    """Built once per process (worker, API, command) and passed down."""

    model_config = SettingsConfigDict(env_prefix="REFERRALS_", extra="ignore", frozen=True)

    database_url: str = "sqlite:///referrals.db"
    database_pool_size: int = Field(DatabaseOptions.pool_size, gt=0)
    """Number of connections to PostgreSQL that a process keeps open."""
    database_ping_after_idle: timedelta = DatabaseOptions.ping_after_idle
    """Idle time after which a connection to PostgreSQL is checked before it is used."""
    database_statement_cache_size: int = Field(DatabaseOptions.statement_cache_size, ge=0)
    """Number of prepared statements per connection to PostgreSQL."""
    database_busy_timeout: timedelta = DatabaseOptions.busy_timeout
    """Time that a SQLite writer waits for a writer in another process."""
    api_url: str | None = None
    """URL of the API for the commands. Default: the address that `referrals dev` wrote into `data_dir`."""
    api_key: SecretStr | None = None
    data_dir: Path = Path(".referrals")
    """Directory of `referrals dev`: databases, its API key and its address."""
    public_url: str = "http://127.0.0.1:8080"
    """Base URL of referral links."""
    reward_key_secret: SecretStr | None = Field(None, min_length=MIN_SECRET_LENGTH)
    """Secret of the keys of rewards. `referrals dev` makes one. Never change it."""
    identity_secrets: SecretStr | None = None
    """Secrets of the digests of contacts, as `id:secret`, separated by commas; the first is current."""
    shared_contacts: str = ""
    """Emails and phones that identify nobody, such as a till's own, separated by commas."""
    smtp_url: SecretStr | None = None
    """`smtp://user:password@host:port` (STARTTLS when offered) or `smtps://…`. Without it, emails go to the log channel."""
    email_from: str = "Referrals <referrals@localhost>"
    operator_email: DeliverableEmail | None = None
    """Address of messages for operators. Without it, or without SMTP, they go to the log channel."""
    whatsapp_url: str = "https://graph.facebook.com"
    whatsapp_version: str = "v23.0"
    whatsapp_phone_number_id: str | None = None
    """Meta's id of the sender's number. With it, all other WhatsApp settings are required."""
    whatsapp_token: SecretStr | None = None
    """Token of a system user that may send from that number."""
    whatsapp_app_secret: SecretStr | None = None
    """Key of the signatures of Meta's webhooks."""
    whatsapp_verify_token: SecretStr | None = None
    """Freely chosen token that Meta presents when it subscribes to the webhook."""
    http_messages_url: str | None = None
    """URL of your own endpoint that sends messages by any other service; see docs/messages.md."""
    http_messages_secret: SecretStr | None = None
    """Signing secret of the requests to that endpoint and of its callbacks."""
    http_messages_timeout: timedelta = Field(
        timedelta(seconds=15), gt=timedelta(0), le=MAX_HTTP_MESSAGES_TIMEOUT
    )
    """Time in which the endpoint has to respond."""
    quiet_hours: QuietHoursText | None = None
    """Interval such as `21:00-08:00` in the customer's time zone, in which no message is sent."""
    message_frequency_cap: FrequencyCapText | None = None
    """Maximum number of messages per customer and period over all campaigns, such as `3/P1D`."""
    templates_dir: Path | None = None
    """Message templates that take precedence over the built-in ones; see docs/messages.md."""
    voucherify_url: str = "https://api.voucherify.io"
    voucherify_app_id: str | None = None
    voucherify_app_token: SecretStr | None = None
    talon_one_url: str | None = None
    talon_one_api_key: SecretStr | None = None
    """API key of the application, for the Integration API."""
    talon_one_management_key: SecretStr | None = None
    http_rewards_url: str | None = None
    """URL of your own endpoint that issues rewards; see docs/providers.md."""
    http_rewards_secret: SecretStr | None = None
    webhook_secret: SecretStr | None = None
    """Signing secret of the `webhook` steps of journeys. Webhook subscriptions have their own secrets."""
    webhooks_allow_private: bool = False
    """Allow webhooks to use http, and addresses of this machine and of private networks."""
    events_max_age: timedelta = Field(timedelta(days=7), ge=timedelta(0))
    """Age at receipt up to which an event's `time` counts for windows, holds and `new_customers_only`."""
    event_response_timeout: timedelta = Field(timedelta(seconds=10), gt=timedelta(0))
    """Time that an event waits for its decision before the response is `202`, queued."""
    order_source_aliases: dict[str, str] = Field({})
    """Sources whose order events are about orders of another source, as JSON: `{"stripe": "shop"}`."""
    workflow_sandbox: bool = False
    """Run workflows in the SDK's sandbox, as tests and replays always do."""
    messages_per_second: float = Field(50, gt=0)
    """Rate limit of the task queue `referrals-messages` over all workers."""
    voucherify_per_second: float = Field(1.5, gt=0)
    """Rate limit of requests over all workers, within the 100 a minute of Voucherify's plan Business."""
    talon_one_per_second: float = Field(3, gt=0)
    """Rate limit of requests over all workers: that of Talon.One's Management API."""
    http_rewards_per_second: float = Field(20, gt=0)
    log_level: str = "INFO"
    log_format: Literal["json", "console"] = "json"
    """Format of log lines on standard error."""

    look_up_before_grant: bool = False
    """Look every reward up at its provider first. Set it after the database was restored from a backup."""

    @property
    def requests_per_second(self) -> dict[str, float]:
        """Rate limits of requests to providers, by name."""
        return {
            "voucherify": self.voucherify_per_second,
            "talon_one": self.talon_one_per_second,
            "http": self.http_rewards_per_second,
        }

    @property
    def identity(self) -> IdentityOptions:
        """The secrets for `open_store`.

        Raises:
            SettingsError: a secret is not set.
        """
        if self.reward_key_secret is None or self.identity_secrets is None:
            missing = "IDENTITY_SECRETS" if self.reward_key_secret else "REWARD_KEY_SECRET"
            raise SettingsError(
                [FieldError(f"REFERRALS_{missing}", "is not set: see docs/identity.md")]
            )
        return IdentityOptions(
            self.reward_key_secret.get_secret_value(),
            _parse_secrets(self.identity_secrets.get_secret_value()),
            frozenset(filter(None, map(str.strip, self.shared_contacts.split(",")))),
        )

    @property
    def database_options(self) -> DatabaseOptions:
        """The options for `open_store`."""
        return DatabaseOptions(
            self.database_pool_size,
            self.database_ping_after_idle,
            self.database_statement_cache_size,
            self.database_busy_timeout,
        )

    @field_validator("identity_secrets")
    @classmethod
    def _check_identity_secrets(cls, secrets: SecretStr | None) -> SecretStr | None:
        if secrets:
            _parse_secrets(secrets.get_secret_value())
        return secrets

    @field_validator("webhook_secret")
    @classmethod
    def _check_secret(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret:
            signing_key(secret.get_secret_value())
        return secret

    @field_validator("http_messages_url")
    @classmethod
    def _check_endpoint(cls, url: str | None) -> str | None:
        if url and "?" in check_webhook_url(url):
            raise ValueError("must not have a query")
        return url

    @field_validator("http_messages_secret")
    @classmethod
    def _check_key_length(cls, secret: SecretStr | None) -> SecretStr | None:
        if not secret:
            return None
        if len(signing_key(secret.get_secret_value())) < MIN_SIGNING_KEY_LENGTH:
            raise ValueError(
                f"must be whsec_ and at least {MIN_SIGNING_KEY_LENGTH} random bytes in base64"
            )
        return secret

    @field_validator("database_url")
    @classmethod
    def _use_async_driver(cls, url: str) -> str:
        try:
            parsed = make_url(url)
        except ArgumentError as error:
            raise ValueError(
                "must be a database URL, such as postgresql://user@host/name"
            ) from error
        backend = parsed.drivername.split("+")[0]
        if backend not in ASYNC_DRIVERS:
            raise ValueError(f"unknown database {backend!r}: use sqlite:/// or postgresql://")
        return parsed.set(drivername=ASYNC_DRIVERS[backend]).render_as_string(hide_password=False)


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        SettingsError: names each variable that is invalid.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError(
            [
                FieldError(f"REFERRALS_{item.field.upper()}", item.message)
                for item in field_errors(error)
            ]
        ) from error
