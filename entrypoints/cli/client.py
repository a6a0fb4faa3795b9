"""HTTP client of the commands, and the settings that they read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from entrypoints.cli.errors import CommandError
from entrypoints.cli.output import JsonObject

if TYPE_CHECKING:
    import httpx

    from referrals.settings import Settings

DEFAULT_URL = "http://127.0.0.1:8080"
LOCAL_HOSTS = ("127.0.0.1", "::1", "localhost")
"""Hosts that are connected to directly, without the proxy of the environment."""
MAX_PAGE_SIZE = 200
QUEUED = "queued"
"""State of an event or command that is stored but not processed yet, because Temporal did not respond in time."""
QUEUED_MESSAGE = "The command is queued: it is stored and will be processed once."
URL_HINT = (
    "Start it with `referrals dev`, set REFERRALS_API_URL to its address, "
    "or set REFERRALS_DATA_DIR to the data directory of a running `referrals dev`."
)
KEY_HINT = (
    "Set REFERRALS_API_KEY (`referrals key create NAME` creates a key), "
    "or set REFERRALS_DATA_DIR to the data directory of `referrals dev`."
)


def load_settings() -> "Settings":
    """Read the settings. Raises CommandError that names each invalid variable."""
    from referrals import settings

    try:
        return settings.load_settings()
    except settings.SettingsError as error:
        details = [f"{item.field}: {item.message}" for item in error.errors]
        raise CommandError("The environment contains invalid settings.", details) from error


def api_path(*parts: str) -> str:
    """Return `/v1/…` with every part escaped, because ids may contain any character."""
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


@dataclass(frozen=True)
class SettingSource:
    """Value of a setting, with its source or the reason why it is missing."""

    value: str | None
    source: str

    @classmethod
    def find(cls, value: str | None, variable: str, file: Path) -> Self:
        """Use the variable's value, else the file that `referrals dev` wrote."""
        if value:
            return cls(value, f"from {variable}")
        if stored := _read(file):
            return cls(stored, f"from {file}")
        return cls(None, f"{variable} is not set and {file} does not exist")


class ApiClient:
    """Client of the HTTP API with one API key. Errors carry the API's own message."""

    def __init__(
        self, url: str, key: str | None, *, url_source: str = "given", key_source: str = "given"
    ) -> None:
        import httpx

        self.url = url.rstrip("/")
        self._url_and_source = f"{self.url} ({url_source})"
        self._key_source = key_source
        headers = {"authorization": f"Bearer {key}"} if key else {}
        # A batch of events is answered after its last event is decided.
        timeout = httpx.Timeout(10, read=300)
        try:
            is_local = httpx.URL(self.url).host in LOCAL_HOSTS
        except httpx.InvalidURL as error:
            raise CommandError(f"{self.url} is not a valid URL.") from error
        self._http = httpx.Client(
            base_url=self.url, headers=headers, timeout=timeout, trust_env=not is_local
        )

    @classmethod
    def connect(cls, settings: "Settings | None" = None) -> Self:
        """Use the address and key of the settings, else those that `referrals dev` wrote."""
        settings = settings or load_settings()
        secret = settings.api_key.get_secret_value() if settings.api_key else None
        directory = settings.data_dir.absolute()
        url = SettingSource.find(settings.api_url, "REFERRALS_API_URL", directory / "api-url")
        key = SettingSource.find(secret, "REFERRALS_API_KEY", directory / "api-key")
        url_source = url.source if url.value else f"the default; {url.source}"
        return cls(
            url.value or DEFAULT_URL, key.value, url_source=url_source, key_source=key.source
        )

    @classmethod
    def find(cls, settings: "Settings") -> Self | None:
        """Return a client of the API that is configured or that `referrals dev` runs, if there is one."""
        address = settings.data_dir.absolute() / "api-url"
        return cls.connect(settings) if settings.api_url or address.exists() else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **params: str | int | None) -> Any:
        return self.request("GET", path, params={k: v for k, v in params.items() if v is not None})

    def post(self, path: str, body: object = None) -> Any:
        return self.request("POST", path, json=body)

    def get_bytes(self, path: str, **params: str | int) -> bytes:
        """Return a body that is not JSON. Raises CommandError unless the status is 2xx."""
        return self._send("GET", path, params=params).content

    def request(self, method: str, path: str, **options: Any) -> Any:
        """Return the decoded JSON body, or None if it is empty. Raises CommandError unless the status is 2xx."""
        response = self._send(method, path, **options)
        return response.json() if response.content else None

    def rows(self, path: str, limit: int | None = None, **params: str | None) -> list[JsonObject]:
        """Return up to `limit` rows, or all, from as many pages as needed."""
        return list(islice(self._pages(path, limit, params), limit))

    def _pages(
        self, path: str, limit: int | None, params: Mapping[str, str | None]
    ) -> Iterator[JsonObject]:
        size = min(limit or MAX_PAGE_SIZE, MAX_PAGE_SIZE)
        after = None
        while True:
            page = self.get(path, **params, limit=size, after=after)
            yield from page["data"]
            after = page["next"]
            if after is None:
                return

    def _send(self, method: str, path: str, **options: Any) -> "httpx.Response":
        import httpx

        try:
            response = self._http.request(method, path, **options)
        except httpx.ConnectError as error:
            message = f"Cannot connect to the API at {self._url_and_source}."
            raise CommandError(message, [URL_HINT]) from error
        except httpx.HTTPError as error:
            from referrals.http_client import describe_transport_error

            message = f"The request to {self.url} failed: {describe_transport_error(error)}."
            raise CommandError(message) from error
        if response.is_success:
            return response
        if response.status_code == httpx.codes.UNAUTHORIZED:
            raise self._unauthorized(response)
        raise error_from(response)

    def _unauthorized(self, response: "httpx.Response") -> CommandError:
        problem = error_from(response).problem
        if "authorization" in response.request.headers:
            message = f"{self._url_and_source} rejected the API key {self._key_source}."
            return CommandError(message, [KEY_HINT], problem)
        message = f"{self._url_and_source} requires an API key."
        return CommandError(message, [f"{self._key_source}.", KEY_HINT], problem)


def error_from(response: "httpx.Response") -> CommandError:
    """Convert an unsuccessful response into an error."""
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict) or "title" not in problem:
        return CommandError(f"{response.request.url} returned status {response.status_code}.")
    return CommandError(*describe_problem(problem), problem)


def describe_problem(problem: JsonObject) -> tuple[str, list[str]]:
    """Return the message of a problem document (RFC 9457), and one line for each invalid field."""
    errors = problem.get("errors") or []
    message = problem["title"] if errors else problem.get("detail") or problem["title"]
    return message, [_describe_field_error(error) for error in errors]


def _describe_field_error(error: JsonObject) -> str:
    line = f"line {error['line']}" if error.get("line") else ""
    return ": ".join(filter(None, (line, error["field"], error["message"])))


def _read(file: Path) -> str | None:
    try:
        return file.read_text().strip() or None
    except OSError:
        return None
