"""Write docs/campaign.md from the models of campaign files: `python -m referrals.campaign_document`."""

import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from referrals.campaign_keys import Section, format_value, sections, words_of
from referrals.domain.campaign_fields import (
    Charset,
    CodePattern,
    ConvertingEvent,
    DateTimeWithOffset,
    MoneyAmount,
    PassedParameter,
    PositiveInt,
    RuleCondition,
    SingleLine,
    Slug,
    TimeZone,
    Url,
)
from referrals.domain.discounts import Percent
from referrals.domain.durations import Duration
from referrals.domain.field_docs import field_docs
from referrals.domain.journey_steps import STARTABLE, StartingEvent, TimeOfDay, WebhookUrl
from referrals.domain.journeys import GRANT_REFUSALS, WITHOUT_FRIEND, absent_variables
from referrals.domain.message_timing import QuietHoursText
from referrals.domain.money import Currency
from referrals.domain.periods import Period
from referrals.domain.rewards import Target
from referrals.domain.rule_functions import FUNCTIONS
from referrals.domain.rule_variables import DESCRIBED_VARIABLES, FIELDS, ValueSpec
from referrals.domain.strict_model import StrictModel
from referrals.domain.tracking import AttributeName, AttributePath
from referrals.providers.talon_one_target import Loyalty, TalonOneTarget
from referrals.providers.voucherify import VoucherifyTarget

FILE = Path("docs/campaign.md")
TYPES: tuple[Any, ...] = (
    *(
        Slug,
        SingleLine,
        PositiveInt,
        Duration,
        Period,
        DateTimeWithOffset,
        TimeZone,
        TimeOfDay,
        QuietHoursText,
    ),
    *(MoneyAmount, Currency, Percent, Url, WebhookUrl, PassedParameter, Charset, CodePattern),
    *(ConvertingEvent, StartingEvent, RuleCondition, AttributeName, AttributePath, Target),
)
"""Types of values, in the order of the page."""

WORDS = {
    "string": "text",
    "double": "number",
    "int64": "whole number",
    "bool": "true or false",
    "map": "free-form",
    "list(Item)": "list of items",
}
"""Types of variables for people. A record's type is shown by its fields."""

INTRODUCTION = """# The campaign file

Every key of a campaign file, every value that its conditions can read, and every event that its journeys can start on. This page is generated from the
models in `referrals/domain/` by `make docs`; do not edit it.

```yaml
campaign: spring
name: Spring referrals
landing_url: https://shop.example/welcome
conversion:
  hold: P14D
rewards:
  friend: {type: points, amount: 50}
  tiers:
    - {name: each_friend, each: true, reward: {type: points, amount: 100}}
    - {name: ten_friends, at: 10, reward: {type: gift_credit, amount: "25.00", currency: EUR}}
```

The file is YAML 1.2 or JSON, without aliases and tags. An unknown key is an error, and a key whose value is `null` counts as left out. `examples/` has whole
programmes. [conditions.md](conditions.md) shows how to write conditions, [journeys.md](journeys.md) how to write journeys,
[campaign-edits.md](campaign-edits.md) what a change of a running campaign means.

## Complete and check it in an editor

```sh
referrals campaign schema > campaign.schema.json
```

An editor with the YAML language server (such as VS Code with the extension YAML) completes and checks a file by this JSON Schema if its first line names it:

```yaml
# yaml-language-server: $schema=campaign.schema.json
```

The schema is also that of the body of `PUT /v1/campaigns/{campaign}`. `referrals campaign apply` checks what no schema can: conditions, time zones, currencies and
their decimals, names that must be unique, templates, providers, and [journeys that cannot do what they say](#events-of-journeys).
"""


def main() -> None:
    """Write the page."""
    FILE.write_text(document())


def document() -> str:
    """Return the page as Markdown."""
    return (
        "\n".join([INTRODUCTION, *_keys(), *_types(), *_variables(), *_events(), *_targets()])
        + "\n"
    )


def _keys() -> Iterator[str]:
    yield from ("## Keys", "")
    yield "A default of *none* means that the key is left out."
    for section in sections():
        yield from _section(section)


def _section(section: Section) -> Iterator[str]:
    yield from ("", f"### {section.heading}", "", section.description, "")
    yield from _table("key", "type", "default", "effect", "example")
    for key in section.keys:
        example = _code(f"{key.name}: {format_value(key.examples[0])}")
        yield f"| `{key.name}` | {key.type} | {key.default} | {key.description} | {example} |"


def _types() -> Iterator[str]:
    yield from ("", "## Types", "", *_table("type", "value", "examples"))
    for kind in TYPES:
        schema = TypeAdapter(kind).json_schema()
        examples = ", ".join(_code(format_value(example)) for example in schema["examples"])
        yield f"| {words_of(schema['title'])} | {schema['description']} | {examples} |"


def _variables() -> Iterator[str]:
    yield from ("", "## Variables of conditions", "")
    yield 'Ask for a field that may be absent first: `has(friend.locale) && friend.locale == "de"`.'
    yield from ("", *_table("variable", "read by", "type", "value", "absent"))
    for name, owners, variable in _each_variable():
        where = " and ".join(f"{owner}s" for owner in owners)
        kind = WORDS.get(variable.type, "fields below")
        absent = "; ".join(filter(None, [variable.absent, _absent_in_journeys(name, owners)]))
        yield f"| `{name}` | {where} | {kind} | {variable.description} | {absent} |"
        yield from _fields(name, where, variable.type)
    yield from ("", *_table("function", "value"))
    for name, function in FUNCTIONS.items():
        text = str(inspect.getdoc(function.evaluate))
        yield f"| `{name}(friend, advocate)` | {text} |"


def _each_variable() -> Iterator[tuple[str, list[str], ValueSpec]]:
    """Yield each variable with the kinds of conditions that read it."""
    found: dict[tuple[str, ValueSpec], list[str]] = {}
    for owner, variables in DESCRIBED_VARIABLES.items():
        for item in variables.items():
            found.setdefault(item, []).append(owner)
    for (name, variable), owners in found.items():
        yield name, owners, variable


def _absent_in_journeys(name: str, owners: list[str]) -> str:
    by_event = any(name in absent_variables(event) for event in STARTABLE)
    some = "in journeys [on some events](#events-of-journeys)"
    return some if "journey" in owners and by_event else ""


def _fields(path: str, where: str, record: str) -> Iterator[str]:
    for name, field in FIELDS.get(record, {}).items():
        kind = WORDS[field.type.removesuffix("?")]
        yield f"| `{path}.{name}` | {where} | {kind} | {field.description} | {field.absent} |"
        if field.type.startswith("list("):
            yield from _fields(f"{path}.{name}[]", where, field.type[5:-1])


def _events() -> Iterator[str]:
    yield from ("", "## Events of journeys", "")
    yield "Values for `on`, `exit_on` and `wait: {event}`, with what a journey on the event can do."
    yield from ("", *_table("event", "its `when` cannot read", "`to: friend`", "`grant`"))
    for event in sorted(STARTABLE):
        absent = ", ".join(f"`{name}`" for name in absent_variables(event))
        friend = "no" if event in WITHOUT_FRIEND else "yes"
        grant = f"no: {GRANT_REFUSALS[event]}" if event in GRANT_REFUSALS else "yes"
        yield f"| `{event}` | {absent} | {friend} | {grant} |"


def _targets() -> Iterator[str]:
    yield from ("", "## Targets of providers", "")
    yield "Keys of `target`. [providers.md](providers.md#choose-a-provider) says which a reward needs. The target of provider `http` is any mapping."
    yield from ("", *_table("provider", "key", "value"))
    yield from _target("voucherify", VoucherifyTarget)
    yield from _target("talon_one", TalonOneTarget)
    yield from _target("talon_one", Loyalty, "loyalty.")


def _target(provider: str, model: type[StrictModel], prefix: str = "") -> Iterator[str]:
    for name, text in field_docs(model).items():
        yield f"| `{provider}` | `{prefix}{name}` | {text} |"


def _code(text: str) -> str:
    return f"`{text.replace('|', chr(92) + '|')}`"


def _table(*headings: str) -> Iterable[str]:
    return f"| {' | '.join(headings)} |", f"|{' --- |' * len(headings)}"


if __name__ == "__main__":
    main()
