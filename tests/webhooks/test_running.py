"""Webhooks end to end: real processes and a real endpoint."""

import json
import signal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread

import pytest

from tests.cli.test_dev_processes import CAMPAIGN, harness  # noqa: F401 - a fixture
from tests.webhooks.receiver import Received


@pytest.fixture
def endpoint():
    """Run an endpoint; yield its URL and the queue of received requests."""
    received: Queue[Received] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received.put(Received({k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hooks", received
        server.shutdown()


def test_worker_delivers_events(harness, endpoint, tmp_path):  # noqa: F811 - the fixture
    url, received = endpoint
    assert harness.start().startswith("ready http://127.0.0.1:")
    file = tmp_path / "spring.yaml"
    file.write_text(CAMPAIGN)
    harness.run("campaign", "apply", str(file))
    webhook = json.loads(
        harness.run("webhook", "create", url, "--event", "reward_granted", "--json")
    )
    harness.run("webhook", "test", webhook["id"])
    code = json.loads(harness.run("publish", "spring", "ada", "--json"))["code"]
    order = {"id": "1", "amount": "10.00", "currency": "EUR"}
    answer = harness.send(1, code=code, friend={"id": "fay"}, order=order)

    test, granted = (received.get(timeout=120) for _ in range(2))
    assert test.event["type"] == "webhook_test"
    assert granted.event["data"]["customer"] == "fay"
    assert granted.event["subject"] == answer["referral"]
    assert granted.event["source"].startswith("http://127.0.0.1:")
    assert all(request.signed_by(webhook["secret"]) for request in (test, granted))
    checks = {check["name"]: check for check in json.loads(harness.run("doctor", "--json"))}
    assert checks["webhooks"]["ok"]
    assert harness.stop(signal.SIGINT) == (0, "")
