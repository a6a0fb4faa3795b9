"""Identity of customers: canonical forms of customer ids and contacts, and the keyed digests by which they are compared.

Two spellings of one id or contact have one canonical form. What cannot be understood keeps its own.
"""

import hmac
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from functools import cached_property
from typing import Literal

from referrals.domain.contacts import normalise_phone, visible_text

ContactKind = Literal["email", "lookalike", "phone"]
"""`lookalike` is the Latin address that an address with letters of several alphabets looks like."""

MAX_SHARED_BY = 3
"""A contact of more customers than this, such as the address of a till, identifies nobody."""

_HASH_LENGTH = 32
"""Length of a digest in hexadecimal digits: 128 bits."""
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_ALIAS_DOMAINS = {"googlemail.com": "gmail.com"}
_DOMAINS_WITHOUT_DOTS = frozenset({"gmail.com", "pm.me", "proton.me", "protonmail.com"})
"""Providers that deliver an address with and without dots to one mailbox. Dots count everywhere else."""
_LATIN_LOOKALIKES = str.maketrans("асԁеһіјорԛѕԝхуаοαρνιχ", "acdehijopqswxyaoapvix")
"""Cyrillic and Greek letters that look like Latin ones in most fonts."""


class Certainty(IntEnum):
    """Certainty that two customers are one person."""

    NONE = 0
    POSSIBLE = 1
    """They share a phone, or have addresses that look alike."""
    CERTAIN = 2
    """They share an email address."""


@dataclass(frozen=True)
class SamePerson:
    """Facts about other customers who may be the friend, and how surely they are."""

    is_advocate: Certainty = Certainty.NONE
    already_referred: Certainty = Certainty.NONE
    signed_up_elsewhere: Certainty = Certainty.NONE
    customer_since: Mapping[Certainty, datetime] = field(default_factory=dict)
    """The earliest time since which one of at least this certainty is a customer."""
    superseded_sign_up: str | None = None
    """The friend's sign-up with the same code under another id."""


@dataclass(frozen=True)
class Contact:
    """A contact of a customer in its canonical form."""

    kind: ContactKind
    value: str

    @property
    def text(self) -> str:
        """Return the text that is hashed. A look-alike has the text of the address that it looks like."""
        return f"{'phone' if self.kind == 'phone' else 'email'}:{self.value}"


@dataclass(frozen=True)
class Digest:
    """A contact as it is stored: nobody without the secret of the key can compute it."""

    kind: ContactKind
    key_id: str
    value: str


@dataclass(frozen=True)
class IdentityOptions:
    """Secrets of a deployment, and the contacts that identify nobody."""

    reward_key_secret: str = field(repr=False)
    """Never changed: with another secret, a provider could not recognise a reward that it granted before."""
    contact_secrets: tuple[tuple[str, str], ...] = field(repr=False)
    """Key ids and secrets; the first is current. The others are compared too, until their digests are rebuilt."""
    shared_contacts: frozenset[str] = frozenset()
    """Emails and phones that many customers share, in any spelling."""

    @property
    def current_key_id(self) -> str:
        return self.contact_secrets[0][0]

    def reward_subject(self, own_id: str) -> str:
        """Return the part of a reward's key that identifies the customer with this id."""
        return _keyed_hash(self.reward_key_secret, own_id)

    def contact_key(self, contact: str) -> str:
        """Return the key of a friend who is known by this contact alone."""
        return _keyed_hash(self.reward_key_secret, contact)

    def digests(self, own_id: str, email: str | None, phone: str | None) -> tuple[Digest, ...]:
        """Return the digests of everything that identifies the customer, under each key."""
        contacts = {*contacts_of(own_id, email, phone)} - self._shared
        found = (
            Digest(contact.kind, key_id, _keyed_hash(secret, contact.text))
            for key_id, secret in self.contact_secrets
            for contact in contacts
        )
        return tuple(sorted(found, key=lambda digest: (digest.value, digest.kind)))

    @cached_property
    def _shared(self) -> frozenset[Contact]:
        return frozenset(
            contact
            for text in self.shared_contacts
            for contact in (_contacts_of_email(text) if "@" in text else [_contact_of_phone(text)])
        )


def contacts_of(own_id: str, email: str | None, phone: str | None) -> Iterator[Contact]:
    """Yield the contacts of a customer. An id that is an email address is one of them."""
    for address in {own_id, email or ""}:
        if is_email(address):
            yield from _contacts_of_email(address)
    if phone:
        yield _contact_of_phone(phone)


def normalise_id(own_id: str) -> str:
    """Return the form by which ids are compared: equal for one id in any spelling.

    Only ids that are email addresses are case-folded: others, such as random ones, may differ in case alone. Letters of
    another alphabet make another id, because the caller's system made both ids and knows their owners.
    """
    visible = "".join(char for char in own_id if unicodedata.category(char) != "Cf").strip()
    text = unicodedata.normalize("NFC", visible) or own_id
    return _fold(text) if is_email(text) else text


def is_email(text: str) -> bool:
    return _EMAIL.fullmatch(visible_text(text)) is not None


def canonical_email(text: str) -> str:
    """Return the mailbox of an address: without case, plus tag, and the dots that its provider ignores."""
    local, separator, domain = _fold(text).rpartition("@")
    if not (local and separator and domain):
        return _fold(text)
    domain = _ascii_domain(domain)
    domain = _ALIAS_DOMAINS.get(domain, domain)
    local = local.partition("+")[0] or local
    if domain in _DOMAINS_WITHOUT_DOTS:
        local = local.replace(".", "") or local
    return f"{local}@{domain}"


def canonical_phone(text: str) -> str:
    """Return the number in E.164, or its digits if its country is not known."""
    try:
        return normalise_phone(text)
    except ValueError:
        return visible_text(text)


def _contacts_of_email(address: str) -> Iterator[Contact]:
    yield Contact("email", canonical_email(address))
    latin = "@".join(_to_latin(part) for part in _fold(address).split("@"))
    if latin != _fold(address):
        yield Contact("lookalike", canonical_email(latin))


def _contact_of_phone(phone: str) -> Contact:
    return Contact("phone", canonical_phone(phone))


def _fold(text: str) -> str:
    """Fold what readers do not see: case, width, composition, invisible characters, and the Turkish dots of the i."""
    folded = visible_text(text).casefold()
    plain = folded.replace("i\u0307", "i").replace("\u0131", "i")
    return unicodedata.normalize("NFKC", plain)


def _to_latin(text: str) -> str:
    """Replace look-alikes of Latin letters, if there are Latin letters too. A text in one alphabet is what it says."""
    has_latin = any("a" <= character <= "z" for character in text)
    return text.translate(_LATIN_LOOKALIKES) if has_latin else text


def _ascii_domain(domain: str) -> str:
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        return domain


def _keyed_hash(secret: str, text: str) -> str:
    return hmac.digest(secret.encode(), text.encode(), "sha256").hex()[:_HASH_LENGTH]
