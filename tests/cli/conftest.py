"""A fake API, and a function that runs commands in this process."""

import io
import json
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from entrypoints.cli.main import main


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class FakeApi:
    """An HTTP server that records requests and returns the answers that the test has set."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    answers: dict[str, Callable[[Request], tuple[int, Any]]] = field(default_factory=dict)

    def answer(self, request: str, body: Any, status: int = 200) -> None:
        """Set the answer to a method and path without query; `body` may be a function of the request."""
        self.answers[request] = lambda received: (
            status,
            body(received) if callable(body) else body,
        )


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    """Start a fake API and set REFERRALS_API_URL to it."""
    fake = FakeApi()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {key.lower(): value for key, value in self.headers.items()}
            request = Request(self.command, self.path, headers, body)
            fake.requests.append(request)
            known = fake.answers.get(f"{self.command} {self.path.split('?')[0]}")
            status, answer = known(request) if known else (404, {"title": f"no {self.path}"})
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - names required by the base class

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        fake.url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("REFERRALS_API_URL", fake.url)
        yield fake
        server.shutdown()


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Remove the settings of the shell, and use a data directory of the test."""
    for name in ("API_URL", "API_KEY", "DATABASE_URL", "PUBLIC_URL", "SMTP_URL"):
        monkeypatch.delenv(f"REFERRALS_{name}", raising=False)
    monkeypatch.setenv("REFERRALS_DATA_DIR", str(tmp_path / "data"))


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """Run `referrals …` in this process."""

    def run(*arguments: str, stdin: str = "") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as exit_:
            main(arguments)
        out, err = capsys.readouterr()
        return Result(exit_.value.code or 0, out, err)

    return run
