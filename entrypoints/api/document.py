"""The OpenAPI document, from which clients are generated.

Routes say what is theirs: a function's name is the operation id, its docstring the description, and `responses` lists
the problem types of the operation. What all operations have in common is added here.
"""

import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, get_args

from fastapi import FastAPI
from fastapi.routing import APIRoute

from entrypoints.api import http_errors
from entrypoints.api.openapi import REF, event_schemas
from entrypoints.api.problems import PROBLEM_TYPES, problem_response
from referrals import errors
from referrals.campaign_schema import campaign_components
from referrals.domain.clicks import ShareChannel
from referrals.domain.event_names import OUTBOUND
from referrals.domain.failure_causes import FailureCause
from referrals.domain.journey_steps import MessageChannel
from referrals.domain.rewards import Provider
from referrals.domain.states import ReferralState, RewardState
from referrals.domain.tracking import EventProvider
from referrals.errors import ReferralsError
from referrals.store import views
from referrals.store.webhooks.delivery_lists import DeliveryState

SERVERS = [{"url": "/", "description": "The installation that serves this document."}]
DESCRIPTION = """\
Referral programmes: campaigns, codes, referrals, rewards, wallets and messages.

Send `Authorization: Bearer KEY` with every request under `/v1`. Lists are paged by `limit` and `after`, and are also CSV
(`Accept: text/csv`). Errors are problem documents (RFC 9457). An id in a path is percent-encoded: `ada%2F1` is the
customer `ada/1`.
"""
TAGS = {
    "events": "What happens in the shop: sign-ups, conversions, orders.",
    "refusals": "Requests that were refused, counted by reason.",
    "campaigns": "Referral programmes, their versions and numbers.",
    "coupons": "Pools of coupon codes.",
    "codes": "Referral codes and their QR codes.",
    "advocates": "Customers who refer friends.",
    "referrals": "Friends who were referred, and an operator's commands.",
    "rewards": "What advocates and friends get, and an operator's commands.",
    "messages": "What was sent, what waits and what failed.",
    "activity": "The log of everything that happened.",
    "customers": "Contact details, consents and wallets.",
    "suppressions": "Addresses that are not written to, and suspended channels.",
    "tracked events": "Events that journeys send to providers.",
    "webhooks": "Subscriptions to events, deliveries, and workflows that journeys start.",
    "installation": "Settings of the running engine, and checks with them.",
    "visits": "Referral links, for visitors.",
    "unsubscribe": "Unsubscribe links, for customers.",
    "hooks": "Callbacks of vendors.",
    "health": "Checks for load balancers and operators.",
}

_METHODS = ("get", "put", "post", "patch", "delete")
PARAMETERS = {
    "advocate": "Only those of this advocate, by the caller's id or ours.",
    "awaiting_approval": "Only those that are due and wait for an approval.",
    "cause": "Only failures of this cause.",
    "channel": "Channel of messages.",
    "code": "Referral code, in any spelling.",
    "customer": "Only those of this customer, by the caller's id or ours.",
    "error": "Only failures with this code, which is the part of `error` before the colon.",
    "friend": "Only those of this friend, by the caller's id or ours.",
    "limit": "Maximum number of rows per page.",
    "provider": "Only those that this provider issues.",
    "referral": "Only those of this referral.",
    "side": "Only those of this side.",
    "since": "Only those from this time on.",
    "state": "Only those in this state.",
    "token": "Token of an unsubscribe link.",
    "type": "Only those of this type.",
}
"""Descriptions of the parameters that several operations share."""

ENUMS: dict[str, Iterable[str]] = {
    "ActivityType": views.ACTIVITY,
    "CampaignState": ("running", "paused", "archived"),
    "ConsentChannel": ("email", "whatsapp"),
    "ConsentState": ("given", "withdrawn"),
    "DeliveryState": get_args(DeliveryState),
    "EventProvider": get_args(EventProvider),
    "FailureCause": FailureCause,
    "MessageChannel": get_args(MessageChannel),
    "MessagePurpose": ("service", "marketing"),
    "MessageState": get_args(views.MessageState),
    "OutboundEventType": OUTBOUND,
    "ReferralState": ReferralState,
    "RewardProvider": get_args(Provider),
    "RewardSide": ("friend", "advocate"),
    "RewardState": RewardState,
    "RewardType": ("points", "gift_credit", "coupon"),
    "ShareChannel": get_args(ShareChannel),
    "TrackedEventState": get_args(views.TrackedEventState),
    "WorkflowStartState": get_args(views.WorkflowStartState),
}
"""Names of the lists of values that several schemas share."""

_NOT_OURS = ("HTTPValidationError", "ValidationError")
_PAGE = re.compile(r'(?<=["/])Page_(\w+?)_(?=")')
_WITH_KEY = (
    http_errors.UnauthorisedError,
    errors.InvalidRequestError,
    http_errors.ShuttingDownError,
)
_WITH_BODY = (
    http_errors.MalformedBodyError,
    http_errors.BodyTooLargeError,
    http_errors.UnsupportedMediaTypeError,
)


def operation_id(route: APIRoute) -> str:
    """Return the name of the route's function in camel case: `list_referrals` is `listReferrals`."""
    first, *words = route.name.split("_")
    return first + "".join(map(str.capitalize, words))


def install(app: FastAPI) -> None:
    """Let the app serve the completed document."""
    generate = app.openapi

    @cache
    def openapi() -> dict[str, Any]:
        return complete(generate())

    app.openapi = openapi  # type: ignore[method-assign]


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with everything that no single route declares."""
    document["components"]["schemas"] |= event_schemas()
    text = _PAGE.sub(r"\1Page", json.dumps(document))
    document = json.loads(text)
    schemas = document["components"]["schemas"]
    for name in _NOT_OURS:
        schemas.pop(name, None)
    for name, schema in schemas.items():
        schema["title"] = name
    for operation in operations(document):
        operation["summary"] = operation["summary"].capitalize()
        _add_problems(operation)
        for parameter in operation.get("parameters", []):
            parameter["schema"] = _without_null(parameter["schema"])
            if parameter["name"] in PARAMETERS:
                parameter.setdefault("description", PARAMETERS[parameter["name"]])
    document = _name_enums(document)
    document["components"]["schemas"] |= campaign_components(REF)
    return document | {
        "servers": SERVERS,
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
    }


def _name_enums(document: dict[str, Any]) -> dict[str, Any]:
    """Replace every list of values that has a name by a reference to its schema."""
    names = {frozenset(values): name for name, values in ENUMS.items()}
    used = set()

    def replace(part: Any) -> Any:
        if isinstance(part, list):
            return [replace(item) for item in part]
        if not isinstance(part, dict):
            return part
        values = part.get("enum")
        name = names.get(frozenset(values)) if isinstance(values, list) else None
        if name is None:
            return {key: replace(value) for key, value in part.items()}
        used.add(name)
        rest = {key: part[key] for key in ("description", "default") if key in part}
        return {"$ref": REF.format(model=name), **rest}

    schemas = document["components"]["schemas"]
    given = {name for name in ENUMS if schemas.pop(name, None)}
    document = replace(document)
    for name in sorted(used | given):
        values = sorted(map(str, ENUMS[name]))
        schema = {"title": name, "type": "string", "enum": values}
        document["components"]["schemas"][name] = schema
    return document


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from (operation for method, operation in path.items() if method in _METHODS)


def _add_problems(operation: dict[str, Any]) -> None:
    """Add the problems that any request with a key, and any request with a body, can end with."""
    common: list[type[ReferralsError]] = []
    if "security" in operation:
        common += _WITH_KEY
        if "requestBody" in operation:
            common += _WITH_BODY
    elif "parameters" in operation:
        common.append(errors.InvalidRequestError)
    responses = operation["responses"]
    if "x-problem-types" not in responses.get("422", {}):
        responses.pop("422", None)  # the web framework's own
    for kind in common:
        problem = PROBLEM_TYPES[kind]
        given = responses.get(str(problem.status), {}).get("x-problem-types", [])
        names = [*dict.fromkeys([*given, problem.name])]
        responses[str(problem.status)] = problem_response(names)
    operation["responses"] = dict(sorted(responses.items()))


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter, which is left out instead of null."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    return {**kinds[0], **{key: schema[key] for key in schema if key not in ("anyOf", "title")}}
