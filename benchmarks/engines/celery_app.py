"""The lifecycle on Celery with Redis: a task for the order, which writes and queues two tasks that send.

Nothing durable waits for the conversion: the window is a task with a countdown, which Celery's documentation warns of
beyond the broker's visibility time-out, so here nothing is kept between sign-up and conversion at all.
`celery -A benchmarks.engines.celery_app worker`, and as a module the client.
"""

import asyncio
import os

from celery import Celery

from benchmarks import book, driver

app = Celery("bench", broker=os.environ["BENCH_REDIS"], backend=os.environ["BENCH_REDIS"])
app.conf.task_acks_late = True
app.conf.worker_prefetch_multiplier = 1
engine = book.open_sync(os.environ["BENCH_DATABASE"])


@app.task(name="sign_up", ignore_result=True)
def sign_up(number: int, advocate: int) -> None:
    """Nothing is to be done before the conversion: the rows are written with it, as by the others."""


@app.task(name="convert")
def convert(number: int, advocate: int) -> str:
    book.settle_sync(engine, number, advocate)
    for message in book.message_ids(number):
        send.delay(message)
    return "accepted"


@app.task(name="send", ignore_result=True)
def send(message: str) -> None:
    book.send_sync(engine, message)


class Peer:
    async def sign_up(self, number: int, advocate: int) -> None:
        await asyncio.to_thread(sign_up.delay, number, advocate)

    async def convert(self, number: int, advocate: int) -> None:
        await asyncio.to_thread(lambda: convert.delay(number, advocate).get())

    async def pending(self) -> int:
        with engine.connect().execution_options(read_only=True) as tx:
            return int(tx.execute(book.PENDING).scalar_one())


if __name__ == "__main__":
    asyncio.run(driver.serve(Peer()))
    driver.leave()
