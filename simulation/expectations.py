"""Comparison of what a story expects with what happened."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from referrals.store import views
from referrals.yaml_nodes import Path
from simulation.state import ProgrammeState
from simulation.story import Expectation, ExpectedMessage, ExpectedReward, absolute


@dataclass(frozen=True)
class Outcome:
    """Result of a step: the response to it, or why it was refused, and the state after it."""

    start: datetime
    response: Mapping[str, Any]
    refusal: str | None
    state: ProgrammeState
    balances: Mapping[str, Mapping[str, str]]
    journeys: Counter[str]


@dataclass(frozen=True)
class Check:
    """One comparison, by its place within `expect`."""

    path: Path
    expected: str
    found: str
    holds: bool

    @classmethod
    def of(cls, path: Path, expected: str, found: str) -> "Check":
        """Compare two values."""
        return cls(path, expected, found, expected == found)


def compare(expected: Expectation, outcome: Outcome) -> Iterator[Check]:
    """Yield a check for each value that is expected, and one if the step was refused without that."""
    if expected.refused or outcome.refusal:
        wanted = "refused" if expected.refused else "accepted"
        found = "refused" if outcome.refusal else "accepted"
        reason = f": {outcome.refusal}" if outcome.refusal else ""
        yield Check(("refused",), wanted, found + reason, wanted == found)
    yield from _compare_response(expected, outcome)
    yield from _compare_people(expected, outcome)
    for customer, rewards in expected.rewards.items():
        wanted_rewards = [(_expected_reward(each, outcome.start), each.times) for each in rewards]
        given = [_reward_facts(reward) for reward in outcome.state.rewards_of(customer)]
        yield _compare_lists(("rewards", customer), wanted_rewards, given)
    for customer, messages in expected.messages.items():
        wanted_messages = [(_expected_message(each), each.times) for each in messages]
        sent = [_message_facts(message) for message in outcome.state.messages_to(customer)]
        yield _compare_lists(("messages", customer), wanted_messages, sent)
    for journey, times in expected.journeys.items():
        started = outcome.journeys[journey]
        yield Check.of(("journeys", journey), f"{times} starts", f"{started} starts")


def _compare_people(expected: Expectation, outcome: Outcome) -> Iterator[Check]:
    for friend, referral_state in expected.referrals.items():
        referral = outcome.state.referrals.get(friend)
        found = referral.state if referral else "no referral"
        yield Check.of(("referrals", friend), referral_state, str(found))
    for customer, amounts in expected.balances.items():
        for unit, amount in amounts.items():
            balance = outcome.balances[customer].get(unit, "0")
            path = ("balances", customer, unit)
            yield Check.of(path, _plain(amount), _plain(Decimal(balance)))
    for customer, tiers in expected.milestones.items():
        reached = outcome.state.milestones.get(customer, ())
        yield Check.of(("milestones", customer), _listed(tiers), _listed(reached))


def _compare_response(expected: Expectation, outcome: Outcome) -> Iterator[Check]:
    response = outcome.response
    if expected.decision:
        yield Check.of(("decision",), expected.decision, response.get("decision") or "none")
    if expected.reason:
        code = (response.get("reason") or {}).get("code")
        yield Check.of(("reason",), expected.reason, code or "none")
    if expected.effects is not None:
        effects = [each["effect"] for each in response.get("effects") or ()]
        yield Check.of(("effects",), _listed(expected.effects), _listed(effects))


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


Facts = dict[str, str]
"""Values of a reward or message as text, by name."""


def _reward_facts(reward: views.Reward) -> Facts:
    facts = {
        "amount": _plain(Decimal(reward.amount)),
        "currency": reward.currency,
        "type": reward.type,
        "tier": reward.tier,
        "provider": reward.provider,
        "state": str(reward.state),
        "due": _minute(reward.due_at) if reward.due_at else None,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _expected_reward(reward: ExpectedReward, start: datetime) -> Facts:
    facts = {
        "amount": None if reward.amount is None else _plain(reward.amount),
        "due": None if reward.due is None else _minute(absolute(reward.due, start)),
    }
    for name in ("currency", "type", "tier", "provider", "state"):
        facts[name] = getattr(reward, name)
    return {name: str(value) for name, value in facts.items() if value is not None}


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _message_facts(message: views.Message) -> Facts:
    facts = {"template": message.template, "channel": message.channel, "state": message.state}
    return {name: value for name, value in facts.items() if value is not None}


def _expected_message(message: ExpectedMessage) -> Facts:
    return message.model_dump(exclude={"times"}, exclude_none=True)


def _compare_lists(
    path: Path, expected: Sequence[tuple[Facts, int]], found: Sequence[Facts]
) -> Check:
    """Compare lists in any order: each that was found matches one that is expected, and none is left over."""
    missing = []
    left = [*found]
    for facts, times in sorted(expected, key=lambda item: -len(item[0])):
        for _ in range(times):
            match = next((each for each in left if facts.items() <= each.items()), None)
            if match is None:
                missing.append(facts)
            else:
                left.remove(match)
    wanted = _count(facts for facts, times in expected for _ in range(times))
    return Check(path, wanted, _count(found), holds=not missing and not left)


def _count(found: Any) -> str:
    """Describe facts, equal ones once with their number."""
    counts = Counter(" ".join(facts.values()) for facts in found)
    described = (f"{times} times {each}" if times > 1 else each for each, times in counts.items())
    return "; ".join(described) or "none"
