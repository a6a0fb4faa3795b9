"""The version of the engine, as pyproject.toml states it."""

from importlib.metadata import version

VERSION = version("referrals")
