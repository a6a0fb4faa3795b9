"""Model of a merge of two customers."""

from datetime import datetime

from tests.store.life.model import Programme
from tests.store.life.people import Person
from tests.store.life.records import ACCEPTED, CONFIRMED, Referral
from tests.store.life.terms import CAMPAIGNS, Terms


def merge(programme: Programme, survivor: Person, merged: Person, now: datetime) -> None:
    """Make both one customer, as if they had been one from the start; nothing is taken from those who did nothing wrong."""
    programme.people.merge(survivor, merged)
    for terms in CAMPAIGNS.values():
        moved = programme.confirmed.pop((merged, terms.name), 0)
        programme.confirmed[survivor, terms.name] += moved
        _keep_one(programme, survivor, merged, terms, now)
    for referral in programme.referrals:
        if referral.friend is merged:
            referral.friend = survivor
    for referral in programme.referrals:
        if referral.friend is survivor and referral.code.advocate.survivor is survivor:
            _close_self_referral(programme, referral, now)


def _keep_one(
    programme: Programme, survivor: Person, merged: Person, terms: Terms, now: datetime
) -> None:
    """Let one of two referrals of the friend stay in force."""
    both = [
        each
        for each in programme.referrals
        if each.friend in (survivor, merged) and each.terms is terms and not each.superseded_by
    ]
    in_force = [each for each in both if each.binds or each.state == "signed_up"]
    for other in sorted(in_force, key=lambda each: _rank(each, survivor))[1:]:
        first = min(in_force, key=lambda each: _rank(each, survivor))
        if other.code.advocate.survivor is survivor or other.state in (*CONFIRMED, "rolled_back"):
            other.superseded_by = first
            first.superseded.append(other)
        else:
            programme.close(other, "rejected", "already_referred", now)


def _rank(referral: Referral, survivor: Person) -> tuple[bool, int, datetime]:
    """Order referrals: confirmed, rolled back without another try, converted, signed up; self-referrals come last."""
    is_own = referral.code.advocate.survivor is survivor
    if referral.state in CONFIRMED:
        return is_own, 0, referral.confirmed_at
    if referral.state == "rolled_back":
        return is_own, 1, referral.closed_at
    if referral.state in ACCEPTED:
        return is_own, 2, referral.converted_at
    return is_own, 3, referral.signed_up_at


def _close_self_referral(programme: Programme, referral: Referral, now: datetime) -> None:
    if referral.state in CONFIRMED:
        programme.roll_back(referral, "self_referral", now)
    elif referral.state in ACCEPTED or referral.state == "signed_up":
        programme.close(referral, "rejected", "self_referral", now)
