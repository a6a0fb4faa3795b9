"""Rendering of a message compared with plain Jinja, and sending to the log compared with the reference."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from jinja2 import Environment, FileSystemLoader
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.decisions import LogMessages
from benchmarks import reference_rows
from benchmarks.cases.options import CaseOptions
from benchmarks.figures import Figure, compare, run_alternately
from benchmarks.seed import seed
from benchmarks.servers import Site
from referrals.channels.template_context import example_contexts
from referrals.channels.templates import BUILTIN_DIR, Templates
from referrals.clock import utc_now
from referrals.store import open_store
from referrals.store.messaging.channel_selection import SendingRules
from referrals.temporal.payloads import PendingWork

CASE = "messages"
COUNT = {"tiny": 4, "small": 100, "medium": 500, "full": 2000}
ROUNDS = {"tiny": 1, "small": 3, "medium": 5, "full": 9}
TEMPLATE = "thank_friend"

Send = Callable[[list[str]], Awaitable[object]]


def run(options: CaseOptions, site: Site) -> Iterator[Figure]:
    count, rounds = options.scale or COUNT[options.size], ROUNDS[options.size]
    yield _rendering(count, rounds)
    for database in options.databases:
        urls = [seed(site.database(database, name)) for name in ("ours", "bare")]
        yield asyncio.run(_sending(urls[0], urls[1], count, rounds, database))


def _rendering(count: int, rounds: int) -> Figure:
    templates = Templates()
    plain = Environment(loader=FileSystemLoader(BUILTIN_DIR), autoescape=True)
    context = {**next(iter(example_contexts("referral_converted"))), "locale": "en"}

    def theirs() -> None:
        plain.get_template(f"en/{TEMPLATE}.jinja").render(context)

    takes = {
        "ours": lambda: _time(count, lambda: templates.render(TEMPLATE, "en", context)),
        "jinja": lambda: _time(count, theirs),
    }
    found = run_alternately(rounds, takes)
    about = {"metric": "render", "reference": "jinja", "unit": "ms"}
    note = "theirs: the html part alone, unlimited"
    return compare(found["ours"], found["jinja"], float, case=CASE, note=note, **about)


def _time(count: int, work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    for _ in range(count):
        work()
    return (time.perf_counter() - begun) / count * 1000


async def _sending(ours: str, bare: str, count: int, rounds: int, database: str) -> Figure:
    async with AsyncExitStack() as stack:
        send = await stack.enter_async_context(_our_send(ours))
        reference = reference_rows.open_async(bare)
        stack.push_async_callback(reference.dispose)
        mine, theirs = [], []
        for number in range(rounds):
            lifecycles = range(number * count, (number + 1) * count)
            mine.append(await _send_all(ours, lifecycles, send))
            theirs.append(await _send_all(bare, lifecycles, partial(_their_send, reference)))
    about = {"metric": "send", "reference": "bare", "unit": "ms", "database": database}
    return compare(mine, theirs, float, case=CASE, **about)


@asynccontextmanager
async def _our_send(url: str) -> AsyncIterator[Send]:
    async with open_store(url) as store:
        rules, public_url = SendingRules({"log": False}), "http://127.0.0.1:8080"
        log = LogMessages(store, Templates(), rules, public_url, utc_now)

        async def send(messages: list[str]) -> None:
            async with store.begin() as tx:
                await log.send(tx, PendingWork(messages=tuple(messages)))

        yield send


async def _their_send(reference: AsyncEngine, messages: list[str]) -> None:
    for message in messages:
        await reference_rows.send_async(reference, message)


async def _send_all(url: str, numbers: range, send: Send) -> float:
    """Return the milliseconds per message for these lifecycles, whose rows are written first."""
    engine = reference_rows.open_async(url)
    for number in numbers:
        await reference_rows.write_lifecycle_async(engine, number, 0)
    await engine.dispose()
    begun = time.perf_counter()
    for number in numbers:
        await send(reference_rows.message_ids(number))
    return (time.perf_counter() - begun) / len(numbers) / 2 * 1000
