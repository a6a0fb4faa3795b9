"""Names and terms that the parts of a campaign had in its earlier versions."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from referrals.domain.campaign import Campaign
from referrals.domain.renames import NameHistory, R
from referrals.domain.rewards import Tier
from referrals.errors import CampaignEditError, FieldError


class TierTerms(NamedTuple):
    """Number of conversions (None for an `each` tier) and reward, as JSON text that can be compared."""

    at: int | None
    reward: str

    @classmethod
    def of(cls, tier: Tier) -> Self:
        return cls.of_json(tier.model_dump(mode="json"))

    @classmethod
    def of_json(cls, tier: Mapping[str, Any]) -> Self:
        return cls(tier["at"], json.dumps(tier["reward"], sort_keys=True))


@dataclass(frozen=True)
class CampaignHistory:
    """The tiers and journeys of all versions of a campaign, by identity."""

    tiers: NameHistory
    journeys: NameHistory
    tier_terms: dict[str, set[TierTerms]]

    @classmethod
    def of(cls, definitions: Iterable[str]) -> Self:
        """Read the stored definitions, the first version first. They are not validated: only names and terms count."""
        stored: list[dict[str, Any]] = [json.loads(definition) for definition in definitions]
        tiers: list[list[dict[str, Any]]] = [version["rewards"]["tiers"] for version in stored]
        terms: dict[str, set[TierTerms]] = defaultdict(set)
        for tier in (tier for version in tiers for tier in version):
            terms[(tier.get("renamed_from") or [tier["name"]])[0]].add(TierTerms.of_json(tier))
        journeys = [version["journeys"] for version in stored]
        return cls(NameHistory.of(tiers), NameHistory.of(journeys), terms)

    def inherit(self, campaign: Campaign) -> Campaign:
        """Return the campaign with all former names of its tiers and journeys.

        Raises:
            CampaignEditError: an entry cannot continue an earlier one under its names.
        """
        mistakes: list[FieldError] = []
        tiers = _inherit(self.tiers, campaign.rewards.tiers, "rewards.tiers", mistakes)
        journeys = _inherit(self.journeys, campaign.journeys, "journeys", mistakes)
        if mistakes:
            raise CampaignEditError(mistakes)
        rewards = campaign.rewards.model_copy(update={"tiers": tiers})
        return campaign.model_copy(update={"rewards": rewards, "journeys": journeys})

    def is_milestone(self, identity: str) -> bool:
        """Check whether the tier is an `at` tier, as in every version."""
        return any(terms.at is not None for terms in self.tier_terms[identity])

    def had_reward(self, identity: str, terms: TierTerms) -> bool:
        """Check whether the tier ever had the reward of these terms."""
        return any(earlier.reward == terms.reward for earlier in self.tier_terms[identity])


def _inherit(
    history: NameHistory, items: Sequence[R], field: str, mistakes: list[FieldError]
) -> tuple[R, ...]:
    owners: dict[str, str] = {}
    inherited = []
    for index, item in enumerate(items):
        where = f"{field}[{index}].renamed_from"
        try:
            new = history.inherit(item)
        except ValueError as error:
            mistakes.append(FieldError(where, str(error)))
            continue
        if (other := owners.setdefault(new.identity, new.name)) != new.name:
            mistakes.append(FieldError(where, f"cannot continue {new.identity}: {other} does"))
        inherited.append(new)
    return tuple(inherited)
