"""`referrals publish` and `customer …`: advocates, friends and what they hold."""

from collections.abc import Mapping
from typing import Annotated

import typer

from entrypoints.cli.client import QUEUED, Api, load_settings, path
from entrypoints.cli.output import Failure, Json, print_details, print_json

app = typer.Typer(no_args_is_help=True, help="Customers: show, consent.")

EVERY = 1_000_000
AGAIN = (
    "Send the same command again later for the code. "
    "In a campaign with `join_once: false`, that would publish a second one."
)


def publish(
    campaign: Annotated[str, typer.Argument(help="The campaign's slug.")],
    customer: Annotated[str, typer.Argument(help="Your own id of the customer.")],
    *,
    email: Annotated[str | None, typer.Option()] = None,
    phone: Annotated[str | None, typer.Option(help="In international form, +49….")] = None,
    name: Annotated[str | None, typer.Option()] = None,
    locale: Annotated[str | None, typer.Option(help="A language tag, as de or pt-BR.")] = None,
    channel: Annotated[str | None, typer.Option(help="How the code reaches the customer.")] = None,
    code: Annotated[str | None, typer.Option(help="This code, instead of a new one.")] = None,
    as_json: Json = False,
) -> None:
    """Give a customer a code: they become an advocate of the campaign.

    Exit code 1 also where it is only queued: there is no code to show yet.
    """
    contact = {"id": customer, "email": email, "phone": phone, "name": name, "locale": locale}
    body = {"customer": _given(contact), "channel": channel, "code": code}
    with Api.of(load_settings()) as api:
        publication = api.post(path("campaigns", campaign, "publications"), _given(body))
    if publication.get("state") == QUEUED:
        sentence = "The publication is queued: it is kept and done later, once."
        raise Failure(sentence, [AGAIN], publication)
    (print_json if as_json else print_details)(publication)


@app.command()
def show(
    customer: Annotated[str, typer.Argument(help="Your own id of the customer.")],
    as_json: Json = False,
) -> None:
    """Contact, consents, balances and coupons of one customer."""
    with Api.of(load_settings()) as api:
        contact = api.get(path("customers", customer))
        wallet = api.get(path("customers", customer, "wallet"))
        consents = api.rows(path("customers", customer, "consents"), EVERY)
    if as_json:
        print_json({**contact, "wallet": wallet, "consents": consents})
    else:
        held = {"balances": wallet["balances"], "coupons": wallet["coupons"]}
        print_details({**contact, **held, "consents": consents})


@app.command()
def consent(
    customer: Annotated[str, typer.Argument(help="Your own id of the customer.")],
    state: Annotated[str, typer.Argument(help="given or withdrawn.")],
    *,
    channel: Annotated[str, typer.Option(help="email or whatsapp.")],
    purpose: Annotated[str, typer.Option(help="marketing or service.")] = "marketing",
    as_json: Json = False,
) -> None:
    """Note that a customer has given or withdrawn their consent to messages of a kind."""
    wish = {"channel": channel, "purpose": purpose, "state": state, "source": "operator"}
    with Api.of(load_settings()) as api:
        consents = api.post(path("customers", customer, "consents"), wish)["data"]
    if as_json:
        print_json(consents)
    else:
        print_details({"customer": customer, "consents": consents})


def _given(values: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in values.items() if value is not None}
