"""Talon.One's advanced events: their ids, and whether the rules that evaluated an event gave or took anything.

Talon.One also returns effects of rules whose conditions were not met: notifications, rejections, errors and custom
effects. Only effects of the two lists below count. Failure effects beside them do not matter: each event is evaluated
by the rules of all running campaigns, and most of those are not about it.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, Field

CUSTOM = "customEffect"
GIVING = frozenset({"addLoyaltyPoints", "awardGiveaway", "couponCreated", CUSTOM})
TAKING = frozenset({"deductLoyaltyPoints", CUSTOM})

_LITERAL = re.compile(r"[^A-Za-z0-9_-]")
_WORDS = ("message", "rejectionReason", "details", "title", "body", "name")
"""Properties of failure effects that say why, the most telling first."""


class Effect(BaseModel):
    """Effect of one rule. A rule is identified by its campaign, its ruleset and its index."""

    effectType: str = ""  # noqa: N815
    campaignId: int | None = None  # noqa: N815
    rulesetId: int | None = None  # noqa: N815
    ruleIndex: int | None = None  # noqa: N815
    props: dict[str, Any] = Field(default_factory=dict)

    @property
    def rule(self) -> tuple[int | None, ...]:
        return (self.campaignId, self.rulesetId, self.ruleIndex)


class RuleFailure(BaseModel):
    """A rule whose conditions the event did not meet."""

    campaignID: int  # noqa: N815
    rulesetID: int  # noqa: N815
    ruleIndex: int  # noqa: N815
    ruleName: str = ""  # noqa: N815
    details: str = ""

    @property
    def rule(self) -> tuple[int | None, ...]:
        return (self.campaignID, self.rulesetID, self.ruleIndex)


class EventResult(BaseModel):
    """Response to an event, or the event as read back, which does not say which rules failed."""

    effects: list[Any]
    ruleFailureReasons: list[RuleFailure] | None = None  # noqa: N815

    def applied(self, counted: frozenset[str]) -> bool | None:
        """Return whether a rule applied one of the counted effects; None if only a custom effect may have been one.

        A custom effect may come from a rule that failed. Only the list of those rules shows it.
        """
        failed = {failure.rule for failure in self.ruleFailureReasons or ()}
        kinds = {
            effect.effectType
            for effect in _flatten(self.effects)
            if effect.effectType != CUSTOM or effect.rule not in failed
        }
        found = kinds & counted
        if found == {CUSTOM} and self.ruleFailureReasons is None:
            return None
        return bool(found)

    def refusal(self) -> str:
        """Return what the rules say about their refusal."""
        texts = [
            f"{effect.effectType}: {', '.join(words)}"
            for effect in _flatten(self.effects)
            if (words := list(_texts(effect.props)))
        ]
        texts += [
            f"rule {failure.ruleName}: {failure.details or 'conditions not met'}"
            for failure in self.ruleFailureReasons or ()
        ]
        return "; ".join(dict.fromkeys(texts)) or "no rule responded to the event"


def event_id(key: str, number: int = 0) -> str:
    """Return the id of an event for a key, unique for each key and free of characters that a URL would escape.

    A `/` becomes a `.`, any other special character `~` and its bytes. `number` counts the events that were refused.
    """

    def escape(match: re.Match[str]) -> str:
        return "." if match[0] == "/" else "".join(f"~{byte:02x}" for byte in match[0].encode())

    return _LITERAL.sub(escape, key) + (f"~{number}" if number else "")


def _flatten(effects: Iterable[Any]) -> Iterator[Effect]:
    """Yield effects of both forms: objects, or lists that contain objects or begin with the type."""
    for effect in effects:
        if isinstance(effect, dict):
            yield Effect.model_validate(effect)
        elif isinstance(effect, list) and effect and isinstance(effect[0], str):
            yield Effect(effectType=effect[0])
        elif isinstance(effect, list):
            yield from _flatten(effect)


def _texts(props: dict[str, Any]) -> Iterator[str]:
    return (props[name] for name in _WORDS if isinstance(props.get(name), str) and props[name])
