"""Model of customers: who they are, by which contacts they are known, and who is the same person."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from tests.store.life.wallets import Wallet

MAX_SHARED_BY = 3
LISTED = "till"
"""The address that the deployment lists as shared."""


class Guest(NamedTuple):
    """A friend without an id."""

    email: str
    verified: bool


@dataclass(eq=False)
class Person:
    """A customer.

    `stated` are the present contacts, `contacts` those that identify: also those of merged ids. `purchases` are the times at
    which they became a customer, each with its referral if it has one.
    """

    name: str
    email: str | None = None
    phone: str | None = None
    contacts: set[str] = field(default_factory=set)
    stated: set[str] = field(default_factory=set)
    purchases: list[tuple[datetime, Any]] = field(default_factory=list)
    wallets: dict[str, Wallet] = field(default_factory=lambda: defaultdict(Wallet))
    merged_into: "Person | None" = None

    @property
    def own_contacts(self) -> set[str]:
        """Return the contacts that the id itself is."""
        return {"eve"} if self.name == "eve" else set()

    @property
    def survivor(self) -> "Person":
        return self.merged_into.survivor if self.merged_into else self


class People:
    """All customers, by their ids and as guests. Contacts are emails, such as `a`, and phones, such as `+1`."""

    def __init__(self) -> None:
        self.by_name: dict[str, Person] = {}
        self.guests: dict[tuple[str, str | None], Person] = {}
        self.everybody: list[Person] = []
        self.shared = {LISTED}

    def upsert(self, name: str, email: str | None = None, phone: str | None = None) -> Person:
        """Return the customer with this id, after it came with these contacts.

        A new id takes over the verified guest who is known by its email; of several, the first.
        """
        if name not in self.by_name:
            new = Person(name)
            known = [self.guests.get((each, None)) for each in {*new.own_contacts, email or ""}]
            guests = [each for each in self.everybody if each in known and not each.merged_into]
            guest = guests[0] if guests else None
            if guest:
                self.guests = {key: each for key, each in self.guests.items() if each is not guest}
                guest.name = name
            self.by_name[name] = guest or self._add(new)
        person = self.by_name[name].survivor
        person.email, person.phone = email or person.email, phone or person.phone
        self._learn(person)
        return person

    def guest(self, guest: Guest, code: str | None, *, signs_up: bool) -> Person:
        """Return the customer for a friend without an id: a contact that is not verified belongs to its code."""
        known = self.guests.get((guest.email, None))
        holders = [each for each in self.everybody if guest.email in each.contacts]
        if guest.verified and not known and len(holders) == 1 and guest.email not in self.shared:
            return holders[0]
        theirs = guest.verified or (known is not None and not signs_up)
        key = (guest.email, None if theirs else code or "")
        if key not in self.guests:
            self.guests[key] = self._add(Person("guest", guest.email))
        person = self.guests[key].survivor
        if guest.verified or not signs_up:
            self._learn(person)
        return person

    def _add(self, person: Person) -> Person:
        self.everybody.append(person)
        return person

    def _learn(self, person: Person) -> None:
        """Know the person by the present contacts. One that too many have shared identifies nobody any more."""
        given = {each for each in (person.email, person.phone) if each}
        stated = (person.own_contacts | given) - {LISTED}
        person.contacts -= person.stated - stated - self.shared
        person.contacts |= stated - person.stated
        person.stated = stated
        for contact in stated:
            if sum(contact in each.contacts for each in self.everybody) > MAX_SHARED_BY:
                self.shared.add(contact)

    def same(self, person: Person, *, certainly: bool) -> list[Person]:
        """Return the other customers who are the person: certainly, by an email, or possibly, also by a phone."""
        known_by = {
            each for each in person.contacts - self.shared if not certainly or each[0] != "+"
        }
        return [each for each in self.everybody if each is not person and each.contacts & known_by]

    def merge(self, survivor: Person, merged: Person) -> None:
        merged.merged_into = survivor
        survivor.contacts |= merged.contacts
        merged.contacts = set()
        survivor.email = survivor.email or merged.email
        survivor.phone = survivor.phone or merged.phone
        survivor.purchases += merged.purchases
        for asset, wallet in merged.wallets.items():
            survivor.wallets[asset].absorb(wallet)
