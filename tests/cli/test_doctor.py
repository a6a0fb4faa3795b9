"""`referrals doctor` where nothing runs; where everything does is shown by the end-to-end tests."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import worker
from entrypoints.cli import doctor as command


@pytest.fixture
def doctor(tmp_path):
    """In a process of its own: the command ends its interpreter by itself."""

    def doctor(*arguments: str) -> subprocess.CompletedProcess[str]:
        env = {
            "REFERRALS_DATABASE_URL": f"sqlite:///{tmp_path}/none.db",
            "REFERRALS_DATA_DIR": str(tmp_path),
            "REFERRALS_API_URL": "http://127.0.0.1:1",
            "REFERRALS_SMTP_URL": "smtp://127.0.0.1:1",
            "REFERRALS_WHATSAPP_PHONE_NUMBER_ID": "106540352242922",
            "REFERRALS_WHATSAPP_TOKEN": "t0k3n",
            "TEMPORAL_ADDRESS": "127.0.0.1:1",
        }
        command = [sys.executable, "-m", "entrypoints.cli.main", "doctor", *arguments]
        root = Path(__file__).parents[2]
        return subprocess.run(
            command, cwd=root, env=env, capture_output=True, text=True, check=False
        )

    return doctor


def test_what_fails_is_told_apart_from_what_works(doctor, tmp_path):
    result = doctor("--json")

    checks = {check["name"]: check for check in json.loads(result.stdout)}
    assert result.returncode == 1
    assert [name for name, check in checks.items() if check["ok"]] == ["Python"]
    assert "none.db" in checks["database"]["found"]
    assert "Nothing answers at http://127.0.0.1:1" in checks["API"]["found"]
    assert checks["WhatsApp"]["found"] == (
        "WhatsApp needs REFERRALS_WHATSAPP_APP_SECRET, REFERRALS_WHATSAPP_VERIFY_TOKEN"
    )
    assert not (tmp_path / "none.db").exists()


def test_people_read_what_to_do(doctor):
    result = doctor()

    assert result.returncode == 1
    assert "referrals db upgrade" in result.stdout
    assert "REFERRALS_SMTP_URL" in result.stdout


def test_a_worker_is_looked_for_on_every_queue():
    assert {queue for queue, _ in command.QUEUES} == set(worker.QUEUES)
