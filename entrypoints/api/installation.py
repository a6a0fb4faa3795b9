"""`/v1/installation` and `/v1/templates/check`: settings of the running engine, and checks with them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter

from entrypoints.api.campaign_checks import describe_problems
from entrypoints.api.resources import ResourcesDep
from entrypoints.api.routing import AuthenticatedRoute
from referrals.channels.template_checks import check_templates
from referrals.domain.field_docs import Described
from referrals.domain.strict_model import StrictModel
from referrals.settings import without_password
from referrals.store.campaigns import versions
from referrals.version import VERSION

router = APIRouter(route_class=AuthenticatedRoute, tags=["installation"])


@dataclass(frozen=True)
class Installation(Described):
    """Settings of the running engine. Commands compare them with those of their shell."""

    version: str
    """Version of the engine."""
    database: str
    """URL of the database, without its password."""
    templates: str | None
    """Folder of the operator's templates; null if there are only the built-in ones."""
    public_url: str
    """Base of the referral links."""
    namespace: str
    """Namespace at Temporal."""
    versions_in_use: int
    """Versions of campaigns in force or with referrals under way."""
    campaign_problems: list[str]
    """Mistakes in those versions, and settings that they need and the engine lacks."""


class TemplateCheckRequest(StrictModel):
    """WhatsApp templates as Meta lists them, to compare with; null compares nothing."""

    approved: Sequence[dict[str, Any]] | None = None
    """`data` of Meta's `GET /{waba}/message_templates`."""


@dataclass(frozen=True)
class TemplateProblem(Described):
    """A mistake in a template."""

    file: str
    """File of the template."""
    line: int
    """Line; 0 if the mistake concerns the whole file."""
    problem: str
    """Description of the mistake."""


@dataclass(frozen=True)
class TemplateCheck(Described):
    """Result of a check of the templates that the running engine uses."""

    templates: str | None
    """Folder of the operator's templates; null if there are only the built-in ones."""
    problems: list[TemplateProblem]
    """Mistakes, by file and line."""


@router.get("/installation")
async def get_installation(resources: ResourcesDep) -> Installation:
    """Return the settings of the running engine, without secrets, and the problems of its campaigns."""
    settings = resources.settings
    async with resources.store.read_long() as tx:
        in_use = await versions.list_in_use(tx)
    found = await asyncio.to_thread(describe_problems, in_use, resources.templates, settings)
    return Installation(
        version=VERSION,
        database=without_password(settings.database_url),
        templates=str(settings.templates_dir) if settings.templates_dir else None,
        public_url=settings.public_url,
        namespace=resources.client.namespace,
        versions_in_use=len(in_use),
        campaign_problems=found,
    )


@router.post("/templates/check")
async def check_message_templates(
    resources: ResourcesDep, body: TemplateCheckRequest | None = None
) -> TemplateCheck:
    """Check all templates that the running engine uses."""
    approved = body.approved if body else None
    found = await asyncio.to_thread(check_templates, resources.templates, approved)
    folder = resources.settings.templates_dir
    return TemplateCheck(
        str(folder) if folder else None,
        [TemplateProblem(each.file, each.line, each.problem) for each in found],
    )
