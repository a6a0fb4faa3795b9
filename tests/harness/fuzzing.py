"""Requests with anything in any position: what a broken or hostile client may send."""

import copy
import os
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("REFERRALS_TEST_FUZZ", "40"))
FUZZED = settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), deadline=None)
Path = tuple[str | int, ...]

TEXTS = [
    "",
    "\x00",
    "\ud800",
    "\u200b",
    "\u0130",
    "\u0661\u0662",
    "a" * 300,
    "a@b\r\nBcc: c@d.de",
    "taro..yamada.@docomo.ne.jp",
    "../..",
    "NaN",
    "1e400",
    "-1",
    "0.0000",
    "9" * 200,
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2026-03-04T10:00:00+25:00",
    "clk_" + "0" * 28 + "_ADA-2026",
]
NUMBERS = [0, -1, 10**18, 2**63, -(10**90), 1e308, -1e-308, 0.1, True, False, None]
KEYS = ["id", "source", "type", "amount", "currency", "items", "quantity", "email", "code", "x"]


def nested(depth: int) -> Any:
    """Return lists and mappings in one another."""
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"k": value}
    return value


texts = st.sampled_from(TEXTS) | st.text(st.characters(), max_size=40)
keys = st.sampled_from(KEYS) | texts
values = st.recursive(
    texts
    | st.sampled_from(NUMBERS)
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=6,
) | st.sampled_from([5, 17, 40, 300]).map(nested)


@st.composite
def mutations(draw: st.DrawFn, examples: Sequence[Any]) -> Any:
    """Draw an example in which up to three values are replaced, left out or added."""
    mutated = copy.deepcopy(draw(st.sampled_from(examples)))
    for _ in range(draw(st.integers(1, 3))):
        paths = [path for path in _paths(mutated) if path]
        if paths:
            _mutate(draw, mutated, draw(st.sampled_from(paths)))
    return mutated


def _mutate(draw: st.DrawFn, value: Any, path: Path) -> None:
    for part in path[:-1]:
        value = value[part]
    match draw(st.sampled_from(["replace", "replace", "delete", "add"])):
        case "delete":
            del value[path[-1]]
        case "add" if isinstance(value, dict):
            value[draw(keys)] = draw(values)
        case _:
            value[path[-1]] = draw(values)


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    yield path
    if len(path) > 8:
        return
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, inner in items:
        yield from _paths(inner, (*path, key))
