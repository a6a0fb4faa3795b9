"""Edits of a campaign that are refused: they would pay again, or change what must stay as it is."""

from collections.abc import Iterable, Sequence

from sqlalchemy import select

from referrals.domain.campaign import Campaign
from referrals.domain.campaign_history import CampaignHistory, TierTerms
from referrals.domain.journeys import Journey
from referrals.domain.renames import NameHistory, Renamable
from referrals.domain.rewards import Tier
from referrals.domain.states import RewardState
from referrals.errors import FieldError
from referrals.store.campaigns.counting import count_advocates, count_rows, counted, has_reached
from referrals.store.db.sql import Tx
from referrals.store.schema import codes, journey_entries, referrals, rewards


async def find_refusals(
    tx: Tx, history: CampaignHistory, old: Campaign, given: Campaign, new: Campaign
) -> list[FieldError]:
    """Find what is refused. `given` is the campaign as in the file, `new` has all former names too.

    The campaign's row is locked, as by every decision that reaches a milestone, so the counts do not change meanwhile.
    """
    review = _Review(tx, history, old, new)
    await review.check_fixed_keys()
    for index, tier in enumerate(new.rewards.tiers):
        field = f"rewards.tiers[{index}]"
        if review.keeps_kind(field, tier) and not _is_said_to_be_new(given.rewards.tiers[index]):
            await review.check_tier(field, tier)
    for index, journey in enumerate(new.journeys):
        if history.journeys.is_new(journey) and not _is_said_to_be_new(given.journeys[index]):
            await review.check_new_journey(f"journeys[{index}]", journey)
    return review.errors


def _is_said_to_be_new(item: Renamable) -> bool:
    return item.renamed_from == ()


class _Review:
    """Collects the errors of one edit."""

    def __init__(self, tx: Tx, history: CampaignHistory, old: Campaign, new: Campaign) -> None:
        self._tx = tx
        self._history = history
        self._old = old
        self._new = new
        self._campaign_id = new.campaign
        self.errors: list[FieldError] = []

    async def check_fixed_keys(self) -> None:
        """Refuse to change what earlier publications and conversions rely on."""
        if self._old.code.join_once != self._new.code.join_once:
            published = select(codes.c.code).where(
                codes.c.campaign_id == self._campaign_id, codes.c.advocate_id.is_not(None)
            )
            if count := await count_rows(self._tx, published):
                self._refuse(
                    "code.join_once",
                    f"cannot change after the first publication ({counted(count, 'code')}): advocates rely on the "
                    "present rule. Start a new campaign",
                )
        if self._old.conversion.event != self._new.conversion.event:
            started = select(referrals.c.id).where(referrals.c.campaign_id == self._campaign_id)
            if count := await count_rows(self._tx, started):
                self._refuse(
                    "conversion.event",
                    f"cannot change after the first referral ({counted(count, 'referral')}): friends who signed up convert "
                    f"by {self._old.conversion.event}. Start a new campaign",
                )

    def keeps_kind(self, field: str, tier: Tier) -> bool:
        """Refuse an `at` tier that becomes an `each` tier, or the reverse: their rewards are counted differently."""
        is_milestone = tier.at is not None
        keeps = (
            self._history.tiers.is_new(tier)
            or self._history.is_milestone(tier.identity) == is_milestone
        )
        if not keeps:
            kind = "each" if is_milestone else "at"
            self._refuse(field, f"must stay an {kind} tier; give the other kind a new name")
        return keeps

    async def check_tier(self, field: str, tier: Tier) -> None:
        """Refuse a tier that may be another one, which was paid, under a new name."""
        before = next((t for t in self._old.rewards.tiers if t.identity == tier.identity), None)
        others = self._history.tiers.names.keys() - {tier.identity}
        if before is None:
            others -= await self._check_gone(field, tier)
        if tier.at is None:
            return
        terms = TierTerms.of(tier)
        tiers = self._new.rewards.tiers
        others -= {t.identity for t in tiers if TierTerms.of(t).reward == terms.reward}
        for other in sorted(others):
            if self._takes_over(terms, before, other):
                await self._check_taken_reward(field, tier, other)

    def _takes_over(self, terms: TierTerms, before: Tier | None, other: str) -> bool:
        """Check whether a tier gets the reward of another one, and not just a reward that happens to be equal."""
        if not self._history.had_reward(other, terms):
            return False
        if before is None:
            return True
        had = TierTerms.of(before)
        moved = had.at != terms.at or terms in self._history.tier_terms[other]
        return had.reward != terms.reward and moved

    async def _check_taken_reward(self, field: str, tier: Tier, other: str) -> None:
        where = has_reached(other), ~has_reached(tier.identity)
        count = await count_advocates(self._tx, self._campaign_id, *where)
        if count:
            name = self._history.tiers.names[other][-1]
            self._refuse(
                field,
                f"has the reward of {name}, which paid {counted(count, 'advocate')}: they would be paid again. Keep it under "
                f"the name {name}, give another reward, or write renamed_from: [] if this is another tier, for them too",
            )

    async def _check_gone(self, field: str, tier: Tier) -> set[str]:
        """Refuse a tier that is added while one that was paid is gone: it may be the same under another name.

        Return the identities of all that are gone.
        """
        gone = _gone(self._history.tiers, self._new.rewards.tiers)
        for identity, names in gone.items():
            if self._history.is_milestone(identity) != (tier.at is not None):
                continue
            if tier.at:
                where = has_reached(identity), ~has_reached(tier.identity)
                count = await count_advocates(self._tx, self._campaign_id, *where)
            else:
                count = await self._count_rewarded(names)
            self._refuse_added(field, names[-1], count, f"paid {counted(count, 'advocate')}")
        return set(gone)

    async def check_new_journey(self, field: str, journey: Journey) -> None:
        """Refuse a new journey that limits entries where such a journey is gone: subjects could enter it again."""
        if journey.reentry in (None, "always"):
            return
        for identity, names in _gone(self._history.journeys, self._new.journeys).items():
            prefix = f"{self._campaign_id}/{identity}/"
            entered = select(journey_entries.c.key).where(
                journey_entries.c.key.startswith(prefix, autoescape=True)
            )
            count = await count_rows(self._tx, entered)
            self._refuse_added(field, names[-1], count, f"{counted(count, 'subject')} entered")

    async def _count_rewarded(self, names: Iterable[str]) -> int:
        """Count the advocates who have a reward of an `each` tier."""
        not_paid = (RewardState.VOIDED, RewardState.ROLLED_BACK)
        rewarded = (
            select(rewards.c.customer_id)
            .where(
                rewards.c.campaign_id == self._campaign_id,
                rewards.c.milestone_id.is_(None),
                rewards.c.tier.in_(list(names)),
                rewards.c.state.not_in(not_paid),
            )
            .distinct()
        )
        return await count_rows(self._tx, rewarded)

    def _refuse_added(self, field: str, gone: str, count: int, what: str) -> None:
        if count:
            self._refuse(
                field,
                f"is added, while {gone}, which {what}, is gone. Write renamed_from: [{gone}] if it is the same under "
                "another name, or renamed_from: [] if it is another one, which is for them too",
            )

    def _refuse(self, field: str, message: str) -> None:
        self.errors.append(FieldError(field, message))


def _gone(history: NameHistory, items: Sequence[Renamable]) -> dict[str, tuple[str, ...]]:
    """Return the names of what the new version has no more, by identity."""
    present = {item.identity for item in items}
    return {name: names for name, names in history.names.items() if name not in present}
