"""The referral lifecycle of `referrals demo`: each step is printed and its result checked."""

import json
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from entrypoints.cli.client import ApiClient, api_path
from entrypoints.cli.errors import CommandError
from entrypoints.cli.output import JsonObject, print_line

T = TypeVar("T")
RESULT_TIMEOUT = timedelta(seconds=20)
"""Maximum time to wait for a decision, rewards or messages."""
POLL_INTERVAL = timedelta(milliseconds=100)
RESEND_DELAY = timedelta(milliseconds=500)
MESSAGES_SENT = 5
"""A thank-you to both sides of two conversions, and the milestone."""
CAMPAIGN = """\
campaign: demo
name: Give 50, get 100
landing_url: https://shop.example/welcome
publish_on: customer_registered
code: {pattern: "DEMO-####-####"}
conversion:
  rules:
    - name: minimum_order
      when: order.amount >= 80.0 && order.currency == "EUR"
      message: The order must reach 80 EUR.
rewards:
  friend: {type: points, amount: 50}
  tiers:
    - {name: each_friend, each: true, reward: {type: points, amount: 100}}
    - {name: two_friends, at: 2, reward: {type: points, amount: 250}}
  rollback: {allow_negative: true}
journeys:
  - name: thanks
    on: referral_converted
    steps:
      - send: {template: thank_advocate, to: advocate, channels: [log]}
      - send: {template: thank_friend, to: friend, channels: [log]}
  - name: milestone
    on: milestone_reached
    steps:
      - send: {template: milestone, to: advocate, channels: [log]}
"""
YAML = {"content-type": "application/yaml"}
ADA = {"id": "ada", "name": "Ada"}
FAY = {"id": "fay", "name": "Fay"}
GIL = {"id": "gil", "name": "Gil"}


class Scenario:
    """Sends events, prints the steps, and fails if a result is not as expected."""

    def __init__(self, client: ApiClient, as_json: bool) -> None:
        self.client = client
        self.steps = 0
        self.code = ""
        self._as_json = as_json

    def run(self) -> None:
        """Run the whole lifecycle."""
        _publish_code(self)
        _refer_friend(self)
        _reject_invalid_orders(self)
        _reach_milestone(self)
        _wait_for_messages(self)
        _refund_order(self)
        _read_activity_log(self)

    def print_step(self, title: str, *lines: str, **data: Any) -> None:
        """Print the title and the lines; with --json also the data."""
        self.steps += 1
        if self._as_json:
            step = {"step": self.steps, "title": title, "lines": lines, **data}
            print(json.dumps(step), flush=True)
            return
        print_line(f"{self.steps:2}  {title}", "bold")
        for line in lines:
            print_line(f"    {line}")

    def send(self, event_type: str, event_id: str, **data: Any) -> JsonObject:
        """Send an event until it is decided; on a busy machine it is queued first."""
        event = {
            "specversion": "1.0",
            "id": f"demo-{event_id}",
            "source": "demo",
            "type": event_type,
            "data": data,
        }
        deadline = time.monotonic() + RESULT_TIMEOUT.total_seconds()
        while "decision" not in (response := self.client.post(api_path("events"), event)):
            if time.monotonic() > deadline:
                raise CommandError(f"The event {event['id']} is still queued.")
            time.sleep(RESEND_DELAY.total_seconds())
        return dict(response)

    def order(self, friend: JsonObject, order_id: str, amount: str) -> JsonObject:
        """Send an order with the advocate's code."""
        order = {"id": order_id, "amount": amount, "currency": "EUR"}
        data = {"code": self.code, "friend": friend, "order": order}
        return self.send("referral_converted", f"order-{order_id}", **data)

    def balances(self, **expected: int) -> str:
        """Wait for these balances and return them as text."""
        found = self.wait_for(
            "The points",
            expected,
            lambda: {customer: self._points(customer) for customer in expected},
        )
        return ", ".join(f"{c.title()} has {points} points" for c, points in found.items())

    def sent_messages(self) -> list[JsonObject]:
        return self.client.rows(api_path("campaigns", "demo", "messages"), state="sent")

    def wait_for(self, name: str, expected: T, read: Callable[[], T]) -> T:
        """Read until the value is as expected."""
        deadline = time.monotonic() + RESULT_TIMEOUT.total_seconds()
        while (found := read()) != expected and time.monotonic() < deadline:
            time.sleep(POLL_INTERVAL.total_seconds())
        expect(name, expected, found)
        return found

    def _points(self, customer: str) -> int:
        balances = self.client.get(api_path("customers", customer, "wallet"))["balances"]
        return sum(int(b["balance"]) for b in balances if b["type"] == "points")


def expect(name: str, expected: Any, found: Any) -> None:
    if found != expected:
        raise CommandError(f"{name}: expected {expected}, found {found}.")


def _publish_code(scenario: Scenario) -> None:
    campaign = scenario.client.request(
        "PUT", api_path("campaigns", "demo"), content=CAMPAIGN.encode(), headers=YAML
    )
    expect("The campaign's version", 1, campaign["version"])
    terms = "50 points for the friend, 100 for the advocate, 250 more for two friends."
    scenario.print_step("A campaign is created", terms, "The order must reach 80 EUR.")

    registered = scenario.send("customer_registered", "ada", customer=ADA, campaign="demo")
    [publication] = registered["publications"]
    scenario.code = publication["code"]
    scenario.print_step(
        "Ada registers and gets a code", scenario.code, publication["link"], code=scenario.code
    )


def _refer_friend(scenario: Scenario) -> None:
    code = scenario.code
    for channel in ("whatsapp", "email"):
        scenario.send("referral_link_shared", f"share-{channel}", code=code, channel=channel)
    scenario.print_step("Ada shares the link", "By WhatsApp and by email.")

    response = scenario.send("referral_signed_up", "fay", code=code, friend=FAY)
    expect("The sign-up", "accepted", response["decision"])
    scenario.print_step(
        "Fay signs up with the code", f"Referral {response['referral']} is created."
    )

    small = scenario.order(FAY, "1", "79.99")
    expect("An order of 79.99 EUR", ("rejected", "rule_failed"), _decision(small))
    scenario.print_step("Fay orders for 79.99 EUR", f"Rejected: {small['reason']['message']}")

    order = scenario.order(FAY, "2", "119.90")
    expect("An order of 119.90 EUR", ("accepted", None), _decision(order))
    balances = scenario.balances(fay=50, ada=100)
    scenario.print_step("Fay orders for 119.90 EUR", "Accepted.", balances, response=order)

    expect("The repeated event", order, scenario.order(FAY, "2", "119.90"))
    balances = scenario.balances(fay=50, ada=100)
    scenario.print_step("The shop sends the same order again", "The same response.", balances)


def _reject_invalid_orders(scenario: Scenario) -> None:
    second = scenario.order(FAY, "3", "200.00")
    expect("A second order of the friend", ("rejected", "already_referred"), _decision(second))
    scenario.print_step("Fay uses the code again", f"Rejected: {second['reason']['message']}")

    own = scenario.order(ADA, "4", "200.00")
    expect("The advocate's own order", ("rejected", "self_referral"), _decision(own))
    balances = scenario.balances(fay=50, ada=100)
    scenario.print_step("Ada uses her own code", f"Rejected: {own['reason']['message']}", balances)


def _reach_milestone(scenario: Scenario) -> None:
    response = scenario.order(GIL, "5", "95.00")
    expect("A second friend's order", ("accepted", None), _decision(response))
    balances = scenario.balances(gil=50, ada=450)
    scenario.print_step(
        "Gil, Ada's second friend, orders", "Ada reaches the milestone: 250 more points.", balances
    )


def _wait_for_messages(scenario: Scenario) -> None:
    scenario.wait_for("Messages sent", MESSAGES_SENT, lambda: len(scenario.sent_messages()))
    messages = scenario.sent_messages()
    lines = [f"{m['customer'].title()}: {m['subject']}" for m in reversed(messages)]
    scenario.print_step("Messages are sent by the channel `log`", *lines, messages=messages)


def _refund_order(scenario: Scenario) -> None:
    scenario.send("order_refunded", "refund-5", order={"id": "5"})
    balances = scenario.balances(gil=0, ada=100, fay=50)
    scenario.print_step(
        "Gil returns the order", "The rewards and the milestone are rolled back.", balances
    )


def _read_activity_log(scenario: Scenario) -> None:
    ada = scenario.client.get(api_path("campaigns", "demo", "advocates", "ada"))
    expect("Shares by channel", {"whatsapp": 1, "email": 1}, ada["counts"]["shares"])
    activity = scenario.client.rows(api_path("campaigns", "demo", "activity"))
    counts = Counter(entry["type"] for entry in activity)
    summary = ", ".join(f"{count} {event_type}" for event_type, count in counts.items())
    scenario.print_step("The activity log records everything", summary, activity=activity)


def _decision(response: JsonObject) -> tuple[str, str | None]:
    return response["decision"], response["reason"] and response["reason"]["code"]
