"""`referrals doctor` when nothing runs. test_dev_processes.py tests it when everything runs."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

import worker
from entrypoints.cli import doctor as command
from entrypoints.cli import doctor_database
from referrals.settings import Settings
from referrals.store import Store, refusals
from referrals.store.refusals import RefusalReason
from tests.channels.fake_message_endpoint import SECRET
from tests.harness.campaigns import campaign
from tests.harness.store_harness import StoreHarness


@pytest.fixture
def doctor(tmp_path):
    """Run the command in its own process, because it ends the interpreter."""

    def doctor(*arguments: str) -> subprocess.CompletedProcess[str]:
        env = {
            "REFERRALS_DATABASE_URL": f"sqlite:///{tmp_path}/none.db",
            "REFERRALS_DATA_DIR": str(tmp_path),
            "REFERRALS_API_URL": "http://127.0.0.1:1",
            "REFERRALS_SMTP_URL": "smtp://127.0.0.1:1",
            "REFERRALS_WHATSAPP_PHONE_NUMBER_ID": "106540352242922",
            "REFERRALS_WHATSAPP_TOKEN": "t0k3n",
            "REFERRALS_HTTP_MESSAGES_URL": "https://127.0.0.1:1/messages",
            "REFERRALS_HTTP_MESSAGES_SECRET": SECRET,
            "TEMPORAL_ADDRESS": "127.0.0.1:1",
        }
        command = [sys.executable, "-m", "entrypoints.cli.main", "doctor", *arguments]
        root = Path(__file__).parents[2]
        return subprocess.run(
            command, cwd=root, env=env, capture_output=True, text=True, check=False
        )

    return doctor


def test_failed_checks_are_reported(doctor, tmp_path):
    result = doctor("--json")

    checks = {check["name"]: check for check in json.loads(result.stdout)}
    assert result.returncode == 1
    assert [name for name, check in checks.items() if check["ok"]] == ["settings", "Python"]
    assert "none.db" in checks["database"]["found"]
    assert "Cannot connect to the API at http://127.0.0.1:1" in checks["API"]["found"]
    assert checks["WhatsApp"]["found"] == (
        "WhatsApp needs REFERRALS_WHATSAPP_APP_SECRET, REFERRALS_WHATSAPP_VERIFY_TOKEN"
    )
    assert checks["HTTP messages"]["found"] == "the address is not a public internet address."
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_failed_rewards_are_reported_by_cause(store: Store, database_url: str):
    harness = StoreHarness(store)
    coupon = {"type": "coupon", "discount": {"percent": 20}, "pool": "empty"}
    await harness.apply(campaign(rewards={"friend": coupon}))
    await harness.convert(await harness.publish("spring", "ada"), "fay")
    settings = Settings(database_url=database_url.replace("+aiosqlite", ""))

    with pytest.raises(
        doctor_database.CheckFailedError, match="1 failed, cause stock: Add codes to the pool"
    ):
        await doctor_database.check_rewards(settings)
    assert await doctor_database.check_tracked_events(settings) == "none has failed"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_list_of_unknown_orders_is_named_if_there_are_any(
    store: Store, database_url: str
):
    settings = Settings(database_url=database_url.replace("+aiosqlite", ""))
    nothing = await doctor_database.check_orders(settings)
    await StoreHarness(store).event("order_cancelled", {"order": {"id": "1"}})

    assert nothing == "0 with events, but without a conversion"
    assert "1 with events, but without a conversion; `referrals event unknown-orders`" in (
        await doctor_database.check_orders(settings)
    )


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_broken_integration_is_reported(store: Store, database_url: str):
    settings = Settings(database_url=database_url.replace("+aiosqlite", ""))
    assert "none was refused" in await doctor_database.check_requests(settings)
    reason = RefusalReason("shop", "/de", "invalid-event", 422, "data.order.amount")
    async with store.begin() as tx:
        await refusals.add(tx, {reason: 9}, datetime.now(UTC))

    message = "9 of /de refused today: invalid-event at data.order.amount"
    with pytest.raises(doctor_database.CheckFailedError, match=message):
        await doctor_database.check_requests(settings)


def test_fixes_are_suggested(doctor):
    result = doctor()

    assert result.returncode == 1
    assert "referrals db upgrade" in result.stdout
    assert "REFERRALS_SMTP_URL" in result.stdout


def test_pollers_of_every_queue_are_checked():
    assert {queue for queue, _ in command.QUEUES} == set(worker.QUEUES)
