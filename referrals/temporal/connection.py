"""Connection to Temporal, configured by Temporal's own settings: `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, profiles, …"""

from collections.abc import Sequence

from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client, Plugin
from temporalio.converter import DataConverter
from temporalio.envconfig import ClientConfig

from referrals.temporal.converter import with_payload_converter
from referrals.temporal.search_attributes import SEARCH_ATTRIBUTE_NAMES


async def connect(
    plugins: Sequence[Plugin] = (),
    *,
    lazy: bool = False,
    data_converter: DataConverter = DataConverter.default,
) -> Client:
    """Return a client that serializes payloads as the engine's workers do. A `lazy` client connects on its first call.

    Raises RuntimeError if Temporal does not respond.
    """
    config = ClientConfig.load_client_connect_config()
    config.setdefault("target_host", "localhost:7233")
    return await Client.connect(
        **config,
        data_converter=with_payload_converter(data_converter),
        plugins=plugins,
        lazy=lazy,
    )


async def missing_search_attributes(client: Client) -> list[str]:
    """Return the search attributes that the namespace lacks. No workflow starts without them."""
    registered = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    return [name for name in SEARCH_ATTRIBUTE_NAMES if name not in registered.custom_attributes]
