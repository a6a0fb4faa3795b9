"""Lifecycle on Celery with Redis: a task for the order, which writes the rows and queues two sending tasks.

Nothing durable waits for the conversion. The attribution window would be a task with a countdown, which Celery's
documentation discourages beyond the broker's visibility timeout, so that nothing is stored at sign-up. Run the worker
with `celery -A benchmarks.engines.celery_app worker`, and the module as the client.
"""

import asyncio
import os

from celery import Celery

from benchmarks import driver, reference_rows

app = Celery("bench", broker=os.environ["BENCH_REDIS"], backend=os.environ["BENCH_REDIS"])
app.conf.task_acks_late = True
app.conf.worker_prefetch_multiplier = 1
engine = reference_rows.open_sync(os.environ["BENCH_DATABASE"])


@app.task(name="sign_up", ignore_result=True)
def sign_up(number: int, advocate: int) -> None:
    """Do nothing: all rows are written with the conversion, as by the other references."""


@app.task(name="convert")
def convert(number: int, advocate: int) -> str:
    reference_rows.write_lifecycle_sync(engine, number, advocate)
    for message in reference_rows.message_ids(number):
        send.delay(message)
    return "accepted"


@app.task(name="send", ignore_result=True)
def send(message: str) -> None:
    reference_rows.send_sync(engine, message)


class Peer:
    async def sign_up(self, number: int, advocate: int) -> None:
        await asyncio.to_thread(sign_up.delay, number, advocate)

    async def convert(self, number: int, advocate: int) -> None:
        await asyncio.to_thread(lambda: convert.delay(number, advocate).get())

    async def pending(self) -> int:
        with engine.connect().execution_options(read_only=True) as tx:
            return int(tx.execute(reference_rows.PENDING).scalar_one())


if __name__ == "__main__":
    asyncio.run(driver.serve(Peer()))
    driver.leave()
