"""Connecting to Temporal by Temporal's own settings: `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, profiles, …"""

from collections.abc import Sequence

from temporalio.client import Client, Plugin
from temporalio.envconfig import ClientConfig

from workflows.payloads import DATA_CONVERTER


async def connect(plugins: Sequence[Plugin] = ()) -> Client:
    """A client that writes payloads as the engine's workers read them. Raises RuntimeError where nothing answers."""
    config = ClientConfig.load_client_connect_config()
    config.setdefault("target_host", "localhost:7233")
    return await Client.connect(**config, data_converter=DATA_CONVERTER, plugins=plugins)
