"""Search attributes of the engine's workflows. They must be registered in the namespace as keywords."""

from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

CAMPAIGN_ATTRIBUTE = SearchAttributeKey.for_keyword("ReferralCampaign")
ADVOCATE_ATTRIBUTE = SearchAttributeKey.for_keyword("ReferralAdvocate")
STATE_ATTRIBUTE = SearchAttributeKey.for_keyword("ReferralState")
ATTENTION_ATTRIBUTE = SearchAttributeKey.for_keyword("ReferralAttention")

SEARCH_ATTRIBUTE_NAMES = tuple(
    key.name
    for key in (CAMPAIGN_ATTRIBUTE, ADVOCATE_ATTRIBUTE, STATE_ATTRIBUTE, ATTENTION_ATTRIBUTE)
)


def typed_attributes(values: dict[SearchAttributeKey[str], str | None]) -> TypedSearchAttributes:
    """Return the attributes that have a value."""
    return TypedSearchAttributes(
        [SearchAttributePair(key, value) for key, value in values.items() if value]
    )
