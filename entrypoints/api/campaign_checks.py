"""Checks of a campaign against the deployment: its templates, providers and secrets."""

from collections.abc import Iterator, Mapping, Sequence

from pydantic import ValidationError

from referrals.campaign_file import campaign_errors
from referrals.channels.errors import TemplateError
from referrals.channels.templates import Templates
from referrals.domain.campaign import Campaign
from referrals.domain.validation_messages import field_errors, field_path
from referrals.errors import FieldError
from referrals.providers import Provider
from referrals.settings import Settings
from referrals.store.schema import CampaignVersionRow

_NEEDS_SIGNATURES = "needs the setting REFERRALS_WEBHOOK_SECRET of the API and the workers, which signs the requests"


def template_errors(campaign: Campaign, templates: Templates) -> Iterator[FieldError]:
    """Yield an error for each message whose template is missing or does not fit its event."""
    for index, journey in enumerate(campaign.journeys):
        for path, step in journey.walk():
            try:
                if step.send:
                    templates.check(step.send.template, journey.on, campaign.campaign)
            except TemplateError as error:
                field = field_path(("journeys", index, *path, "send", "template"))
                yield FieldError(field, str(error))


def secret_errors(campaign: Campaign, *, has_webhook_secret: bool) -> Iterator[FieldError]:
    """Yield an error for each `webhook` step if nothing signs its requests."""
    for index, journey in enumerate(campaign.journeys):
        for path, step in journey.walk():
            if step.webhook and not has_webhook_secret:
                field = field_path(("journeys", index, *path, "webhook"))
                yield FieldError(field, _NEEDS_SIGNATURES)


def target_errors(campaign: Campaign, providers: Mapping[str, Provider]) -> Iterator[FieldError]:
    """Yield an error for each provider that is not configured, and for each target that its provider does not accept."""
    for index, journey in enumerate(campaign.journeys):
        for path, step in journey.walk():
            if step.track and step.track.provider not in providers:
                field = field_path(("journeys", index, *path, "track", "provider"))
                yield _not_configured(field, step.track.provider)
    for path, reward in campaign.all_rewards():
        field = field_path(path)
        name, target = campaign.rewards.provider_of(reward)
        if name == "ledger":
            continue
        provider = providers.get(name)
        if provider is None:
            yield _not_configured(f"{field}.provider", name)
            continue
        try:
            provider.check_target(target, reward.type)
        except ValidationError as error:
            for item in field_errors(error):
                yield FieldError(f"{field}.target.{item.field}".rstrip("."), item.message)


def _not_configured(field: str, provider: str) -> FieldError:
    return FieldError(field, f"the provider {provider} is not configured on this deployment")


def describe_problems(
    in_use: Sequence[CampaignVersionRow], templates: Templates, settings: Settings
) -> list[str]:
    """Return a line for each mistake in definitions in use, checked as if they were applied now."""
    return [
        f"{row.campaign_id}, version {row.version}: {error}"
        for row in in_use
        for error in _definition_errors(row.definition, templates, settings)
    ]


def _definition_errors(
    definition: str, templates: Templates, settings: Settings
) -> list[FieldError]:
    try:
        campaign = Campaign.model_validate_json(definition)
    except ValidationError as error:
        return campaign_errors(error)
    has_secret = settings.webhook_secret is not None
    return [
        *template_errors(campaign, templates),
        *secret_errors(campaign, has_webhook_secret=has_secret),
    ]
