"""Each story of identity is decided as labelled, whether the first customer is the advocate or an earlier friend."""

import itertools
from typing import Any

from referrals.store import Store
from tests.harness.campaigns import campaign
from tests.harness.identity import IDENTITY
from tests.harness.store_harness import StoreHarness
from tests.store.referrals.identity_stories import (
    DIFFERENT_PEOPLE,
    SAME_PERSON,
    SHARED_CONTACTS,
    Person,
    Story,
)


def test_thirty_stories_are_one_person_and_thirty_are_two():
    assert (len(SAME_PERSON), len(DIFFERENT_PEOPLE)) == (30, 30)
    assert "accepted" not in {story.verdict for story in SAME_PERSON}
    assert "rejected" not in {story.verdict for story in DIFFERENT_PEOPLE}
    assert set(SHARED_CONTACTS) == IDENTITY.shared_contacts


async def test_stories_are_decided_as_labelled(store: Store):
    stories = Stories(store)
    await stories.apply(campaign("as_advocate"))
    await stories.apply(campaign("as_friend"))
    decided = {story.source: await stories.play(story) for story in SAME_PERSON + DIFFERENT_PEOPLE}

    expected = {story.source: expected_answers(story) for story in SAME_PERSON + DIFFERENT_PEOPLE}
    assert decided == expected


def expected_answers(story: Story) -> list[tuple[str, str | None]]:
    if story.verdict == "accepted":
        return [("accepted", None)] * 2
    if story.verdict == "reviewed":
        return [("held", "same_person")] * 2
    return [("rejected", "self_referral"), ("rejected", "already_referred")]


class Stories(StoreHarness):
    """Decides stories about customers of their own."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._names = itertools.count(1)

    async def play(self, story: Story) -> list[tuple[str, str | None]]:
        """Return the decision about the second customer and its reason, in both campaigns."""
        first, second = self._with_id(story.first), self._with_id(story.second)
        for person in (first, *map(self._with_id, story.others)):
            await self.receive("customer_registered", {"customer": person})
        of_first = await self.publish("as_advocate", first["id"])
        of_ada = await self.publish("as_friend", self._with_id({})["id"])
        await self._convert(of_ada, first)
        answers = [await self._convert(code, second) for code in (of_first, of_ada)]
        return [(answer["decision"], (answer["reason"] or {}).get("code")) for answer in answers]

    def _with_id(self, person: Person) -> Person:
        """Return the person with an id that nobody else has, unless the story gives one."""
        return {"id": f"customer-{next(self._names)}"} | person

    async def _convert(self, code: str, friend: Person) -> dict[str, Any]:
        order = {"id": f"order-{next(self._names)}", "amount": "100.00", "currency": "EUR"}
        return await self.event(
            "referral_converted", {"code": code, "friend": friend, "order": order}
        )
