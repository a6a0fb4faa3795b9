"""Renames of tiers and journeys: the first name, under which payments are recorded, is their identity."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from pydantic import Field

from referrals.domain.campaign_fields import Slug
from referrals.domain.strict_model import StrictModel


class Renamable(StrictModel):
    """A tier or journey, which the campaign file knows by its name.

    `renamed_from` lists former names, the first one first. An empty list says that the entry is new, although another
    one that was paid is gone.
    """

    name: Slug = Field(examples=["ten_friends"])
    """Name, unique in its list."""
    renamed_from: tuple[Slug, ...] | None = Field(None, examples=[["ten"]])
    """Former names, the first one first, so that nothing is paid again. An empty list: this one is new, although
    another one that was paid is gone."""

    @property
    def identity(self) -> str:
        return (self.renamed_from or (self.name,))[0]

    @property
    def names(self) -> tuple[str, ...]:
        """All names, the first one first."""
        return tuple(dict.fromkeys((*(self.renamed_from or ()), self.name)))


R = TypeVar("R", bound=Renamable)


def unique_identities(items: tuple[R, ...]) -> tuple[R, ...]:
    """Return the items if no two share a name or former name.

    Raises:
        ValueError: two items share one.
    """
    names = [name for item in items for name in item.names]
    duplicate = next((name for name in names if names.count(name) > 1), None)
    if duplicate is None:
        return items
    if [item.name for item in items].count(duplicate) > 1:
        raise ValueError(f"has two entries named {duplicate}")
    raise ValueError(f"has two entries with the name or former name {duplicate}")


@dataclass
class NameHistory:
    """Names that tiers (or journeys) had in earlier versions, by identity."""

    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    identities: dict[str, str] = field(default_factory=dict)
    """Identity by name."""

    @classmethod
    def of(cls, versions: Iterable[Iterable[Mapping[str, Any]]]) -> Self:
        """Collect the names from the entries of the stored versions, the first version first."""
        history = cls()
        for entries in versions:
            for entry in entries:
                history._add([*(entry.get("renamed_from") or ()), entry["name"]])
        return history

    def _add(self, names: Sequence[str]) -> None:
        first = names[0]
        self.names[first] = tuple(dict.fromkeys((*self.names.get(first, ()), *names)))
        self.identities |= dict.fromkeys(names, first)

    def inherit(self, item: R) -> R:
        """Return the item with all its former names, also those that the file does not mention.

        Raises:
            ValueError: the names belong to two earlier entries.
        """
        known = dict.fromkeys(
            self.identities[name] for name in item.names if name in self.identities
        )
        if len(known) > 1:
            raise ValueError(f"cannot continue both {' and '.join(known)}; name one of them")
        first = next(iter(known), item.identity)
        names = tuple(dict.fromkeys((*self.names.get(first, (first,)), *item.names)))
        if item.renamed_from == () and len(names) > 1:
            raise ValueError(f"is not new: {item.name} continues {first}; leave renamed_from out")
        former = tuple(name for name in names if name != item.name or name == first)
        return item.model_copy(update={"renamed_from": former if len(names) > 1 else None})

    def is_new(self, item: Renamable) -> bool:
        return item.identity not in self.names
