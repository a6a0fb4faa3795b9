"""The commands' side of the HTTP API."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from entrypoints.cli.output import Failure, Row

if TYPE_CHECKING:
    import httpx

    from referrals.settings import Settings

DEFAULT_URL = "http://127.0.0.1:8080"
LOCAL = ("127.0.0.1", "::1", "localhost")
"""Reached directly, whatever proxy the environment names."""
PAGE = 200
QUEUED = "queued"
"""The state of what is kept and done later, because Temporal could not answer in time."""
START = (
    "Start it with `referrals dev`, or say where it is: REFERRALS_API_URL is its address, "
    "REFERRALS_DATA_DIR the directory of a `referrals dev --data-dir`."
)
KEY = (
    "Set REFERRALS_API_KEY (`referrals key create NAME` makes a key), "
    "or REFERRALS_DATA_DIR to the directory of `referrals dev`."
)


def load_settings() -> "Settings":
    """The settings of the environment; a wrong one is a failure that names its variable."""
    from pydantic import ValidationError

    from referrals.settings import Settings

    try:
        return Settings()
    except ValidationError as error:
        particulars = [
            f"REFERRALS_{'.'.join(map(str, e['loc'])).upper()}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        ]
        raise Failure("The environment has settings that cannot be used.", particulars) from error


def path(*parts: str) -> str:
    """`/v1/…`, with every part escaped: ids are the callers' own and may hold anything."""
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


@dataclass(frozen=True)
class Found:
    """A value of the environment, and where it was found or looked for."""

    value: str | None
    place: str

    @classmethod
    def of(cls, given: str | None, variable: str, file: Path) -> Self:
        """What the variable gives, else what `referrals dev` wrote."""
        if given:
            return cls(given, f"from {variable}")
        if kept := _read(file):
            return cls(kept, f"from {file}")
        return cls(None, f"{variable} is not set, and there is no {file}")


class Api:
    """A running system, as seen by the holder of one key. Failures carry the API's own words."""

    def __init__(
        self, url: str, key: str | None, *, url_from: str = "as given", key_from: str = "as given"
    ) -> None:
        import httpx

        self.url = url.rstrip("/")
        self._place = f"{self.url} ({url_from})"
        self._key_from = key_from
        headers = {"authorization": f"Bearer {key}"} if key else {}
        # A batch of events answers when its last one is decided.
        timeout = httpx.Timeout(10, read=300)
        try:
            local = httpx.URL(self.url).host in LOCAL
        except httpx.InvalidURL as error:
            raise Failure(f"{self.url} is not an address: {error}") from error
        self._http = httpx.Client(
            base_url=self.url, headers=headers, timeout=timeout, trust_env=not local
        )

    @classmethod
    def of(cls, settings: "Settings") -> Self:
        """Where the settings say, else where `referrals dev` wrote its address and key."""
        secret = settings.api_key.get_secret_value() if settings.api_key else None
        directory = settings.data_dir.absolute()
        url = Found.of(settings.api_url, "REFERRALS_API_URL", directory / "api-url")
        key = Found.of(secret, "REFERRALS_API_KEY", directory / "api-key")
        url_from = url.place if url.value else f"the default: {url.place}"
        return cls(url.value or DEFAULT_URL, key.value, url_from=url_from, key_from=key.place)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **params: str | int | None) -> Any:
        return self.call("GET", path, params={k: v for k, v in params.items() if v is not None})

    def post(self, path: str, body: object = None) -> Any:
        return self.call("POST", path, json=body)

    def content(self, path: str, **params: str | int) -> bytes:
        """An answer that is no JSON. Raises Failure for everything but a 2xx."""
        return self._send("GET", path, params=params).content

    def call(self, method: str, path: str, **request: Any) -> Any:
        """The decoded answer, None where it is empty. Raises Failure for everything but a 2xx."""
        response = self._send(method, path, **request)
        return response.json() if response.content else None

    def _send(self, method: str, path: str, **request: Any) -> "httpx.Response":
        import httpx

        try:
            response = self._http.request(method, path, **request)
        except httpx.ConnectError as error:
            raise Failure(f"Nothing answers at {self._place}.", [START]) from error
        except httpx.HTTPError as error:
            raise Failure(f"{self.url} gave no answer: {error or type(error).__name__}") from error
        if response.is_success:
            return response
        if response.status_code == httpx.codes.UNAUTHORIZED:
            raise self._not_let_in(response)
        raise refusal(response)

    def _not_let_in(self, response: "httpx.Response") -> Failure:
        given = "authorization" in response.request.headers
        wrong = f"does not accept the key {self._key_from}" if given else "asks for a key"
        missing = [] if given else [f"{self._key_from}."]
        return Failure(f"{self._place} {wrong}.", [*missing, KEY], refusal(response).problem)

    def rows(self, path: str, limit: int, **params: str | None) -> list[Row]:
        """The first `limit` rows of a list, over as many pages as it takes."""
        return list(islice(self._pages(path, limit, params), limit))

    def _pages(self, path: str, limit: int, params: Mapping[str, str | None]) -> Iterator[Row]:
        after = None
        while True:
            page = self.get(path, **params, limit=min(limit, PAGE), after=after)
            yield from page["data"]
            after = page["next"]
            if after is None:
                return


def refusal(response: "httpx.Response") -> Failure:
    """What an answer that is no 2xx says."""
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict) or "title" not in problem:
        return Failure(f"{response.request.url} answered {response.status_code}.")
    return Failure(*explain(problem), problem)


def explain(problem: Row) -> tuple[str, list[str]]:
    """A problem document (RFC 9457) as a sentence, and a line for each field at fault."""
    errors = problem.get("errors") or []
    sentence = problem["title"] if errors else problem.get("detail") or problem["title"]
    return sentence, [_fault(error) for error in errors]


def _fault(error: Row) -> str:
    line = f"line {error['line']}" if error.get("line") else ""
    return ": ".join(filter(None, (line, error["field"], error["message"])))


def _read(file: Path) -> str | None:
    try:
        return file.read_text().strip() or None
    except OSError:
        return None
