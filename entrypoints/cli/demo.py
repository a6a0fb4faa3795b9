"""`referrals demo`: a whole lifecycle on a system of its own, told step by step and checked at every step."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from entrypoints.cli.client import Api, path
from entrypoints.cli.output import Failure, Json, Row, say
from entrypoints.cli.supervisor import end, spawn

T = TypeVar("T")
SETTLED_WITHIN = 20.0
"""Seconds that rewards and messages have to arrive."""

MESSAGES = 5
"""A thank-you to both sides of two conversions, and the milestone."""
LAST_LINES = 5
YAML = {"content-type": "application/yaml"}
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
ADA = {"id": "ada", "name": "Ada"}
FAY = {"id": "fay", "name": "Fay"}
GIL = {"id": "gil", "name": "Gil"}


def demo(as_json: Json = False) -> None:
    """Play a whole lifecycle on a fresh system and print what happened. Exit code 1 if a number is off."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if not as_json:
        say("Starting Temporal, a worker and the API in a directory that is thrown away …", "dim")
    with _system() as api, api:
        stage = Stage(api, as_json)
        play(stage)
    if not as_json:
        say(f"All {stage.steps} steps came out as they should.", "bold green")


class Stage:
    """What the play acts on: it sends events, tells what happened, and fails where that is not as expected."""

    def __init__(self, api: Api, as_json: bool) -> None:
        self.api = api
        self.steps = 0
        self.code = ""
        self._as_json = as_json

    def tell(self, title: str, *lines: str, **facts: Any) -> None:
        self.steps += 1
        if self._as_json:
            step = {"step": self.steps, "title": title, "happened": lines, **facts}
            print(json.dumps(step), flush=True)
            return
        say(f"{self.steps:2}  {title}", "bold")
        for line in lines:
            say(f"    {line}")

    def send(self, kind: str, number: str, **data: Any) -> Row:
        """The answer to an event; a busy machine may queue it first, and answers when it is sent again."""
        event = {
            "specversion": "1.0",
            "id": f"demo-{number}",
            "source": "demo",
            "type": kind,
            "data": data,
        }
        deadline = time.monotonic() + SETTLED_WITHIN
        while "decision" not in (answer := self.api.post(path("events"), event)):
            if time.monotonic() > deadline:
                raise Failure(f"The event {event['id']} stays queued.")
            time.sleep(0.5)
        return dict(answer)

    def order(self, friend: Row, number: str, amount: str) -> Row:
        """An order that carries the advocate's code."""
        order = {"id": number, "amount": amount, "currency": "EUR"}
        return self.send(
            "referral_converted", f"order-{number}", code=self.code, friend=friend, order=order
        )

    def balances(self, **expected: int) -> str:
        """The balances in a line, as soon as they are as expected."""
        found = self.soon("The points", expected, lambda: {c: self._points(c) for c in expected})
        return ", ".join(f"{c.title()} has {points} points" for c, points in found.items())

    def soon(self, what: str, expected: T, look: Callable[[], T]) -> T:
        deadline = time.monotonic() + SETTLED_WITHIN
        while (found := look()) != expected and time.monotonic() < deadline:
            time.sleep(0.1)
        expect(what, expected, found)
        return found

    def _points(self, customer: str) -> int:
        balances = self.api.get(path("customers", customer, "wallet"))["balances"]
        return sum(int(b["balance"]) for b in balances if b["type"] == "points")


def expect(what: str, expected: Any, found: Any) -> None:
    if found != expected:
        raise Failure(f"{what}: expected {expected}, found {found}.")


def play(stage: Stage) -> None:
    """The lifecycle, from a campaign's file to points on two balances and back."""
    _begin(stage)
    _refer(stage)
    _refuse(stage)
    _reach_a_milestone(stage)
    _thank_them(stage)
    _take_it_back(stage)
    _read_the_log(stage)


def _begin(stage: Stage) -> None:
    campaign = stage.api.call(
        "PUT", path("campaigns", "demo"), content=CAMPAIGN.encode(), headers=YAML
    )
    expect("The campaign's version", 1, campaign["version"])
    stage.tell("A campaign is applied", "Give 50, get 100; 250 more for two friends; from 80 EUR.")

    registered = stage.send("customer_registered", "ada", customer=ADA, campaign="demo")
    [publication] = registered["publications"]
    stage.code = publication["code"]
    stage.tell("Ada registers and gets a code", stage.code, publication["link"], code=stage.code)


def _refer(stage: Stage) -> None:
    for channel in ("whatsapp", "email"):
        stage.send("referral_link_shared", f"share-{channel}", code=stage.code, channel=channel)
    stage.tell("Ada shares the link", "By WhatsApp and by email.")

    answer = stage.send("referral_signed_up", "fay", code=stage.code, friend=FAY)
    expect("The sign-up", "accepted", answer["decision"])
    stage.tell("Fay signs up with the code", f"Referral {answer['referral']} begins.")

    small = stage.order(FAY, "1", "79.99")
    expect("An order of 79.99 EUR", ("rejected", "rule_failed"), _verdict(small))
    stage.tell("Fay orders for 79.99 EUR", f"Rejected: {small['reason']['message']}")

    order = stage.order(FAY, "2", "119.90")
    expect("An order of 119.90 EUR", ("accepted", None), _verdict(order))
    balances = stage.balances(fay=50, ada=100)
    stage.tell("Fay orders for 119.90 EUR", "Accepted.", balances, answer=order)

    expect("The repeated event", order, stage.order(FAY, "2", "119.90"))
    stage.tell(
        "The shop sends that order again", "The same answer.", stage.balances(fay=50, ada=100)
    )


def _refuse(stage: Stage) -> None:
    second = stage.order(FAY, "3", "200.00")
    expect("A second order of the friend", ("rejected", "already_referred"), _verdict(second))
    stage.tell("Fay uses the code a second time", f"Rejected: {second['reason']['message']}")

    own = stage.order(ADA, "4", "200.00")
    expect("The advocate's own order", ("rejected", "self_referral"), _verdict(own))
    balances = stage.balances(fay=50, ada=100)
    stage.tell("Ada uses her own code", f"Rejected: {own['reason']['message']}", balances)


def _reach_a_milestone(stage: Stage) -> None:
    expect("A second friend's order", ("accepted", None), _verdict(stage.order(GIL, "5", "95.00")))
    balances = stage.balances(gil=50, ada=450)
    stage.tell("Gil orders: Ada's second friend", "The milestone is reached: 250 more.", balances)


def _thank_them(stage: Stage) -> None:
    stage.soon("Messages sent", MESSAGES, lambda: len(_sent(stage)))
    messages = _sent(stage)
    lines = [f"{m['customer'].title()}: {m['subject']}" for m in reversed(messages)]
    stage.tell("The messages, kept by the channel `log`", *lines, messages=messages)


def _take_it_back(stage: Stage) -> None:
    stage.send("order_refunded", "refund-5", order={"id": "5"})
    balances = stage.balances(gil=0, ada=100, fay=50)
    stage.tell("Gil returns the order", "Rolled back, and the milestone with it.", balances)


def _read_the_log(stage: Stage) -> None:
    ada = stage.api.get(path("campaigns", "demo", "advocates", "ada"))
    expect("Shares by channel", {"whatsapp": 1, "email": 1}, ada["counts"]["shares"])
    log = stage.api.rows(path("campaigns", "demo", "activity"), limit=1000)
    happened = Counter(entry["type"] for entry in log)
    counts = ", ".join(f"{count} {kind}" for kind, count in happened.items())
    stage.tell("The activity log has it all", counts, activity=log)


def _sent(stage: Stage) -> list[Row]:
    return stage.api.rows(path("campaigns", "demo", "messages"), limit=100, state="sent")


def _verdict(answer: Row) -> tuple[str, str | None]:
    return answer["decision"], answer["reason"] and answer["reason"]["code"]


@contextmanager
def _system() -> Iterator[Api]:
    """A `referrals dev` on free ports in a directory of its own; nothing of either is left afterwards."""
    with TemporaryDirectory(prefix="referrals-demo-") as name:
        directory = Path(name)
        process = _start_dev(directory)
        try:
            yield Api(_url_when_ready(process), (directory / "api-key").read_text())
        except Failure as failure:
            raise Failure(
                str(failure), [*failure.particulars, *_last_words(directory)]
            ) from failure
        finally:
            end([process], within=10)


def _start_dev(directory: Path) -> subprocess.Popen[bytes]:
    ports = ("--port=0", "--temporal-port=0", "--ui-port=0")
    command = ["-P", "-m", "entrypoints.cli.main", "dev", f"--data-dir={directory}", *ports]
    env = {key: value for key, value in os.environ.items() if not key.startswith("REFERRALS_")}
    with (directory / "dev.log").open("wb") as log:
        return spawn([sys.executable, *command], env=env, stdout=subprocess.PIPE, stderr=log)


def _url_when_ready(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    with process.stdout:
        word, _, url = process.stdout.readline().decode().strip().partition(" ")
    if word != "ready":
        raise Failure("The system did not start.")
    return url


def _last_words(directory: Path) -> Sequence[str]:
    """The ends of the logs, which are about to be thrown away."""
    return [
        f"{log.name}: {line}"
        for log in sorted(directory.glob("*.log"))
        for line in log.read_text(errors="replace").splitlines()[-LAST_LINES:]
    ]
