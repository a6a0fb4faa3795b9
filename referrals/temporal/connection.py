"""Connecting to Temporal by Temporal's own settings: `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, profiles, …"""

from collections.abc import Sequence

from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client, Plugin
from temporalio.envconfig import ClientConfig

from referrals.temporal.converter import DATA_CONVERTER
from referrals.temporal.search_attributes import SEARCH_ATTRIBUTE_NAMES


async def connect(plugins: Sequence[Plugin] = (), *, lazy: bool = False) -> Client:
    """A client that writes payloads as the engine's workers read them.

    Raises RuntimeError where nothing answers; a `lazy` client connects with its first call.
    """
    config = ClientConfig.load_client_connect_config()
    config.setdefault("target_host", "localhost:7233")
    return await Client.connect(**config, data_converter=DATA_CONVERTER, plugins=plugins, lazy=lazy)


async def missing_search_attributes(client: Client) -> list[str]:
    """Those that the namespace does not know: without them no workflow starts."""
    registered = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    return [name for name in SEARCH_ATTRIBUTE_NAMES if name not in registered.custom_attributes]
