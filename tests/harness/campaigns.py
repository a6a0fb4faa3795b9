"""Small campaign definitions for tests."""

from pathlib import Path
from typing import Any

from referrals.campaign_file import load_campaign

EXAMPLES = Path(__file__).parents[2] / "examples"
EXAMPLE_CAMPAIGNS = sorted(
    path for path in EXAMPLES.glob("*.yaml") if not path.name.endswith(".events.yaml")
)

POINTS_50 = {"type": "points", "amount": 50}
POINTS_100 = {"type": "points", "amount": 100}
EACH = {"name": "each_friend", "each": True, "reward": POINTS_100}
THANKS = [
    {
        "name": "thank_both",
        "on": "referral_converted",
        "steps": [
            {"send": {"template": "thank_advocate", "to": "advocate", "channels": ["log"]}},
            {"send": {"template": "thank_friend", "to": "friend", "channels": ["log"]}},
        ],
    }
]


def campaign(name: str = "spring", **parts: Any) -> dict[str, Any]:
    """Return a campaign that rewards both sides at once, with 50 and 100 points; `parts` replace or add keys."""
    return {
        "campaign": name,
        "name": name.title(),
        "landing_url": "https://shop.example/welcome",
        "rewards": {"friend": POINTS_50, "tiers": [EACH]},
    } | parts


def milestone(at: int, amount: int = 1000) -> dict[str, Any]:
    return {"name": f"at_{at}", "at": at, "reward": {"type": "points", "amount": amount}}


def example(name: str, **parts: Any) -> dict[str, Any]:
    """Return a campaign of the examples; `parts` replace or add keys."""
    found = load_campaign((EXAMPLES / f"{name}.yaml").read_text("utf-8"))
    return found.model_dump(mode="json") | parts
