"""Everything that differs between deployments, read from `REFERRALS_*` environment variables.

Temporal's own connection settings are not here: they are Temporal's (`TEMPORAL_ADDRESS`, profiles, …).
"""

from datetime import timedelta
from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from referrals.domain.event_fields import Email
from referrals.domain.message_timing import FrequencyCapText, QuietHoursText
from referrals.domain.webhook_signatures import signing_key

ASYNC_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
ASYNC_DRIVERS["postgres"] = ASYNC_DRIVERS["postgresql"]


class Settings(BaseSettings):
    """Built once in a composition root (worker, API, command) and passed down."""

    model_config = SettingsConfigDict(env_prefix="REFERRALS_", extra="ignore", frozen=True)

    database_url: str = "sqlite:///referrals.db"
    api_url: str | None = None
    """Where the commands find the API; without it they look into `data_dir`."""
    api_key: SecretStr | None = None
    data_dir: Path = Path(".referrals")
    """What `referrals dev` keeps: databases, its API key and its address."""
    public_url: str = "http://127.0.0.1:8080"
    """Base of the referral links."""
    smtp_url: SecretStr | None = None
    """`smtp://user:password@host:port` (STARTTLS when offered) or `smtps://…`; without it mails go to the log channel."""
    email_from: str = "Referrals <referrals@localhost>"
    operator_email: Email | None = None
    """Where journeys send what is for the operator; without it, or without SMTP, that goes to the log channel."""
    whatsapp_url: str = "https://graph.facebook.com"
    whatsapp_version: str = "v23.0"
    whatsapp_phone_number_id: str | None = None
    """Meta's id of the number that messages come from; with it, all of the others are needed."""
    whatsapp_token: SecretStr | None = None
    """Of a system user that may send by that number."""
    whatsapp_app_secret: SecretStr | None = None
    """What Meta signs webhooks with."""
    whatsapp_verify_token: SecretStr | None = None
    """Of your choice: what Meta shows when the webhook is subscribed."""
    quiet_hours: QuietHoursText | None = None
    """Such as `21:00-08:00`, in the customer's time zone: messages wait until they are over."""
    message_frequency_cap: FrequencyCapText | None = None
    """Such as `3/P1D`: no customer gets more messages within any such period, over all campaigns."""
    templates_dir: Path | None = None
    """Message templates that take precedence over the built-in ones; see docs/messages.md."""
    voucherify_url: str = "https://api.voucherify.io"
    voucherify_app_id: str | None = None
    voucherify_app_token: SecretStr | None = None
    talon_one_url: str | None = None
    talon_one_api_key: SecretStr | None = None
    """Of the application, for the Integration API."""
    talon_one_management_key: SecretStr | None = None
    http_rewards_url: str | None = None
    """An endpoint of your own that issues rewards; see docs/providers.md."""
    http_rewards_secret: SecretStr | None = None
    webhook_secret: SecretStr | None = None
    """What the `webhook` steps of journeys are signed by; webhooks have secrets of their own."""
    webhooks_allow_private: bool = False
    """Whether events may go out by http, and to this machine and private networks."""
    event_response_timeout: timedelta = Field(timedelta(seconds=10), gt=timedelta(0))
    """How long an event waits for Temporal's answer before it is queued."""
    workflow_sandbox: bool = False
    """Whether the worker runs workflows in the SDK's sandbox (the tests and replays always do)."""
    messages_per_second: float = Field(50, gt=0)
    """Limit of the queue `referrals-messages` over all workers."""
    voucherify_per_second: float = Field(5, gt=0)
    """Rewards in a second over all workers, each of which takes a few requests."""
    talon_one_per_second: float = Field(3, gt=0)
    http_rewards_per_second: float = Field(20, gt=0)
    log_level: str = "INFO"

    @property
    def paces(self) -> dict[str, float]:
        """Rewards in a second, by provider."""
        return {
            "voucherify": self.voucherify_per_second,
            "talon_one": self.talon_one_per_second,
            "http": self.http_rewards_per_second,
        }

    @field_validator("webhook_secret")
    @classmethod
    def _signs(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret:
            signing_key(secret.get_secret_value())
        return secret

    @field_validator("database_url")
    @classmethod
    def _async_driver(cls, url: str) -> str:
        try:
            parsed = make_url(url)
        except ArgumentError as error:
            raise ValueError(f"not a database URL: {error}") from error
        backend = parsed.drivername.split("+")[0]
        if backend not in ASYNC_DRIVERS:
            raise ValueError(f"unknown database {backend!r}: use sqlite:/// or postgresql://")
        return parsed.set(drivername=ASYNC_DRIVERS[backend]).render_as_string(hide_password=False)
