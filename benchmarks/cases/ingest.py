"""Event batches over HTTP, `check`, an advocate's progress and lists, on full tables compared with empty ones."""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx

from benchmarks.bulk_rows import fill
from benchmarks.cases.options import CaseOptions
from benchmarks.engines.systems import System, ours, settings
from benchmarks.figures import Figure, compare, run_alternately
from benchmarks.reference_rows import CAMPAIGN
from benchmarks.seed import ADVOCATES
from benchmarks.servers import HOST, Site, free_ports, soon
from referrals.store import api_keys, open_store

CASE = "ingest"
BATCH = 100
REFERRALS = {"tiny": 20, "small": 3000, "medium": 30_000, "full": 300_000}
CODES_EACH = 10 / 3
"""Codes per referral: a million codes for 300,000 referrals."""
ROUNDS = {"tiny": 1, "small": 3, "medium": 5, "full": 9}
CALLS = {"tiny": 2, "small": 20, "medium": 50, "full": 100}
NUMBERS = itertools.count()


@dataclass(frozen=True)
class Api:
    """An API process with its servers."""

    http: httpx.Client
    system: System

    def batch(self, rejected: int) -> float:
        """Return the events per second of a batch of sign-ups, of which `rejected` have an unknown code."""
        events = [_sign_up(next(NUMBERS), unknown=n < rejected) for n in range(BATCH)]
        begun = time.perf_counter()
        answer = self.http.post("/v1/events", json=events, headers=BATCHED)
        seconds = time.perf_counter() - begun
        decisions = [one.get("decision") for one in answer.raise_for_status().json()]
        if (
            decisions.count("rejected") != rejected
            or decisions.count("accepted") != BATCH - rejected
        ):
            raise AssertionError(f"unexpected answers: {answer.text[:500]}")
        return BATCH / seconds

    def call(self, ask: Callable[[httpx.Client], httpx.Response], calls: int) -> float:
        """Return the duration of a call in milliseconds."""
        begun = time.perf_counter()
        for _ in range(calls):
            ask(self.http).raise_for_status()
        return (time.perf_counter() - begun) / calls * 1000


BATCHED = {"content-type": "application/cloudevents-batch+json"}


def run(options: CaseOptions, site: Site) -> Iterator[Figure]:
    referrals = options.scale or REFERRALS[options.size]
    for database in options.databases:
        full, empty = _open(site, database), _open(site, database)
        fill(full.system.database_url, referrals, int(referrals * CODES_EACH))
        yield from _events(full, ROUNDS[options.size], database)
        yield from _reads(full, empty, options.size, database, f"{referrals:,} referrals")


def _events(api: Api, rounds: int, database: str) -> Iterator[Figure]:
    takes = {"clean": partial(api.batch, 0), "rejects": partial(api.batch, BATCH // 2)}
    found = run_alternately(rounds, takes)
    about = {"metric": "events", "reference": "half_rejected", "unit": "/s", "database": database}
    yield compare(found["clean"], found["rejects"], float, case=CASE, **about)


def _reads(full: Api, empty: Api, size: str, database: str, note: str) -> Iterator[Figure]:
    for metric, ask in READS.items():
        takes = {
            "full": partial(full.call, ask, CALLS[size]),
            "empty": partial(empty.call, ask, CALLS[size]),
        }
        found = run_alternately(ROUNDS[size], takes)
        about = {"metric": metric, "reference": "empty_tables", "unit": "ms", "database": database}
        yield compare(found["full"], found["empty"], float, case=CASE, note=note, **about)


def _get(path: str) -> Callable[[httpx.Client], httpx.Response]:
    return lambda http: http.get(f"/v1/campaigns/{CAMPAIGN}{path}")


def _check(http: httpx.Client) -> httpx.Response:
    order = {"id": "cart", "amount": "100.00", "currency": "EUR"}
    body = {"code": "CODE-0", "friend": {"id": "checked"}, "order": order}
    return http.post(f"/v1/campaigns/{CAMPAIGN}/check", json=body)


READS = {
    "check": _check,
    "progress": _get("/advocates/advocate-7"),
    "list_referrals": _get("/referrals"),
    "list_codes": _get("/codes"),
    "list_advocates": _get("/advocates"),
    "summary": _get("/summary"),
}


def _sign_up(number: int, *, unknown: bool) -> dict[str, Any]:
    code = "NOBODYS" if unknown else f"CODE-{number % ADVOCATES}"
    data = {"code": code, "friend": {"id": f"visitor-{number}"}}
    event = {"specversion": "1.0", "id": f"ingest-{number}", "source": "bench"}
    return event | {"type": "referral_signed_up", "data": data}


def _open(site: Site, database: str) -> Api:
    system = ours(site, database, site.temporal(f"temporal-{next(NUMBERS)}"))
    assert system.temporal is not None
    (port,) = free_ports(1)
    site.python(
        "api",
        *("-P", "-m", "entrypoints.cli.main", "api", "--host", HOST, "--port", str(port)),
        env=settings(system.database_url, system.temporal),
    )
    http = httpx.Client(
        base_url=f"http://{HOST}:{port}",
        headers={"authorization": f"Bearer {asyncio.run(_key(system.database_url))}"},
        timeout=120,
        trust_env=False,
    )
    soon("the API", lambda: _ready(http))
    return Api(http, system)


async def _key(url: str) -> str:
    async with open_store(url) as store:
        return await api_keys.create(store, "bench")


def _ready(http: httpx.Client) -> bool:
    try:
        return http.get("/health/ready").is_success
    except httpx.HTTPError:
        return False
