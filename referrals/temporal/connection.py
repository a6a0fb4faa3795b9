"""Connection to Temporal, configured by Temporal's own settings: `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, profiles, …"""

from collections.abc import Sequence

from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client, Plugin
from temporalio.converter import DataConverter
from temporalio.envconfig import ClientConfig

from referrals.errors import ReferralsError
from referrals.temporal.converter import with_payload_converter
from referrals.temporal.search_attributes import SEARCH_ATTRIBUTE_NAMES


class TemporalError(ReferralsError):
    """Temporal cannot be used: it does not respond, or is not configured."""


async def connect(
    plugins: Sequence[Plugin] = (),
    *,
    lazy: bool = False,
    data_converter: DataConverter = DataConverter.default,
) -> Client:
    """Return a client that serializes payloads as the engine's workers do. A `lazy` client connects on its first call.

    Raises:
        TemporalError: Temporal does not respond, or its settings are invalid.
    """
    try:
        config = ClientConfig.load_client_connect_config()
    except RuntimeError as error:
        raise TemporalError("The configuration of Temporal (TEMPORAL_…) is invalid.") from error
    config.setdefault("target_host", "localhost:7233")
    try:
        return await Client.connect(
            **config,
            data_converter=with_payload_converter(data_converter),
            plugins=plugins,
            lazy=lazy,
        )
    except RuntimeError as error:
        raise TemporalError(f"Temporal does not respond at {config['target_host']}.") from error


async def missing_search_attributes(client: Client) -> list[str]:
    """Return the search attributes that the namespace lacks. No workflow starts without them."""
    registered = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    return [name for name in SEARCH_ATTRIBUTE_NAMES if name not in registered.custom_attributes]
