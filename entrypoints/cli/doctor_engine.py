"""Compare the settings of the running engine with those of the shell, for `referrals doctor`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from entrypoints.cli import doctor_database
from entrypoints.cli.client import ApiClient, api_path
from entrypoints.cli.database import database_url, shown_url
from entrypoints.cli.doctor_database import CheckFailedError, NeedsAttentionError
from entrypoints.cli.errors import CommandError
from entrypoints.cli.output import JsonObject

if TYPE_CHECKING:
    from referrals.settings import Settings

BUILT_IN = "built-in templates only"


@dataclass(frozen=True)
class Engine:
    """The API's description of its installation, or the error of the request."""

    url: str
    installation: JsonObject | None
    error: str
    differences: tuple[str, ...] = ()

    @property
    def remedy(self) -> str:
        """Return what helps if the API does not respond, or if the shell looks at something else."""
        if self.installation is None:
            return "Start `referrals api`, and set REFERRALS_API_KEY."
        return "Set the settings of this shell like those of the engine."

    async def report(self) -> str:
        """Return what the running engine uses. Raises what is not well."""
        if self.installation is None:
            raise CheckFailedError(self.error)
        found = self.installation
        used = f"{self.url} runs version {found['version']}: database {found['database']}, "
        used += f"{_templates(found['templates'])}, namespace {found['namespace']}"
        if self.differences:
            raise NeedsAttentionError(f"{used}. This shell has {', '.join(self.differences)}.")
        return used

    async def check_campaigns(self, settings: "Settings") -> str:
        """Check campaigns with the templates and settings of the running engine, else with those of this shell."""
        if self.installation is None:
            return (
                f"{await doctor_database.check_campaigns(settings)} with the settings of this shell"
            )
        found = self.installation
        valid = doctor_database.report_campaigns(
            found["versions_in_use"], found["campaign_problems"]
        )
        return f"{valid} with the settings of the running engine"


def ask(settings: "Settings") -> Engine:
    """Ask the API what it uses, and compare that with the settings of this shell."""
    url = "the API"
    try:
        with ApiClient.connect(settings) as client:
            url, found = client.url, client.get(api_path("installation"))
    except CommandError as error:
        return Engine(url, None, str(error))
    return Engine(url, found, "", tuple(_differences(settings, found)))


def describe_shell(settings: "Settings") -> str:
    """Return the database and the templates that this shell is set to."""
    return f"database {shown_url(database_url(settings))}, {_templates(settings.templates_dir)}"


def _differences(settings: "Settings", found: JsonObject) -> Iterator[str]:
    if (database := shown_url(database_url(settings))) != found["database"]:
        yield f"database {database}"
    if _templates(settings.templates_dir) != _templates(found["templates"]):
        yield _templates(settings.templates_dir)


def _templates(folder: object) -> str:
    return f"templates {folder}" if folder else BUILT_IN
