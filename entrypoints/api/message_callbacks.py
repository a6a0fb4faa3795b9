"""`/hooks/messages`: statuses from the endpoint of the channel `http`, which are signed instead of sent with a key."""

from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import SecretStr, ValidationError

from entrypoints.api.http_errors import (
    BodyTooLargeError,
    MalformedBodyError,
    UnsignedCallbackError,
)
from entrypoints.api.openapi import MESSAGE_STATUS_BODY
from entrypoints.api.problems import problems
from entrypoints.api.request_bodies import parse_json
from entrypoints.api.resources import ResourcesDep
from referrals.channels.http_statuses import MessageStatusReport
from referrals.domain.validation_messages import field_errors
from referrals.domain.webhook_signatures import has_valid_signature, signing_key
from referrals.errors import InvalidRequestError, UnknownMessageError
from referrals.store.messaging import status_reports

router = APIRouter(prefix="/hooks", tags=["hooks"])

MAX_BODY_BYTES = 16 * 1024


@router.post(
    "/messages",
    status_code=204,
    response_class=Response,
    openapi_extra=MESSAGE_STATUS_BODY,
    responses=problems(
        MalformedBodyError,
        UnsignedCallbackError,
        UnknownMessageError,
        BodyTooLargeError,
        InvalidRequestError,
    ),
)
async def report_message_status(request: Request, resources: ResourcesDep) -> None:
    """Record what became of a message of the channel `http`. A repeat changes nothing.

    The signature is by Standard Webhooks over the raw body, with the channel's secret.
    """
    body, now = await _read(request), resources.clock()
    _check_signature(request, body, resources.settings.http_messages_secret, now)
    report = _parse(body)
    async with resources.store.begin() as tx:
        if not await status_reports.record_statuses(tx, "http", [report.to_status(now)], now):
            raise UnknownMessageError(report.key)


async def _read(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLargeError(MAX_BODY_BYTES)
    return body


def _check_signature(
    request: Request, body: bytes, secret: SecretStr | None, now: datetime
) -> None:
    if secret is None or not has_valid_signature(
        signing_key(secret.get_secret_value()), request.headers, body, now
    ):
        raise UnsignedCallbackError


def _parse(body: bytes) -> MessageStatusReport:
    try:
        return MessageStatusReport.model_validate(parse_json(body))
    except ValidationError as error:
        raise InvalidRequestError(field_errors(error)) from error
