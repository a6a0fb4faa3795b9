"""Loader of campaign files in YAML 1.2 or JSON, with errors that contain the field and the line."""

from pydantic import ValidationError

from referrals.domain.campaign import Campaign
from referrals.errors import CampaignError, FieldError
from referrals.yaml_documents import YamlDocument


def load_campaign(text: str) -> Campaign:
    """Load a campaign from the text of its file.

    Raises:
        CampaignError: the text is too long, is not YAML, has aliases, tags or duplicate keys, or is not a campaign.
    """
    return YamlDocument.parse(text, CampaignError).validate(Campaign, CampaignError)


def campaign_errors(error: ValidationError) -> list[FieldError]:
    """List the errors of a campaign that did not come from a file, without lines."""
    return YamlDocument(None, {}).errors(error, Campaign)
