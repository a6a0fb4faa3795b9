"""Fixed secrets of identity for tests."""

from pydantic import SecretStr

from referrals.settings import Settings

SECRET_SETTINGS = {"reward_key_secret": SecretStr("the tests' secret of reward keys")}
SECRETS = Settings(**SECRET_SETTINGS).identity_secrets
