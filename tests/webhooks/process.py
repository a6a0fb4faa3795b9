"""Process that delivers webhooks until a test kills it: `python -m tests.webhooks.process DATABASE_URL`."""

import asyncio
import sys
from datetime import timedelta

from referrals.store import open_store
from referrals.webhooks.deliverer import Deliverer
from referrals.webhooks.poster import Poster
from tests.harness.store_harness import START


async def main(url: str) -> None:
    async with open_store(url) as store:
        poster = Poster(allow_private=True, timeout=timedelta(minutes=1))
        deliverer = Deliverer(store, poster, source="", clock=lambda: START)
        async with deliverer.running():
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
