"""The command `referrals`."""

import sys
from collections.abc import Sequence

import typer

from entrypoints.cli import (
    campaigns,
    coupons,
    database,
    demo,
    dev,
    doctor,
    events,
    journey,
    messages,
    people,
    processes,
    qr,
    referral,
    reward,
    templates,
    webhooks,
)
from entrypoints.cli.output import Failure

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A durable referral programme engine on Temporal.",
)
app.command("dev")(dev.dev)
app.command("demo")(demo.demo)
app.command("worker")(processes.worker)
app.command("api")(processes.api)
app.add_typer(campaigns.app, name="campaign")
app.command("publish")(people.publish)
app.command("qr")(qr.qr)
app.add_typer(events.app, name="event")
app.add_typer(journey.app, name="journey")
app.add_typer(referral.app, name="referral")
app.add_typer(reward.app, name="reward")
app.add_typer(coupons.app, name="coupon")
app.add_typer(people.app, name="customer")
app.add_typer(messages.app, name="message")
app.add_typer(templates.app, name="template")
app.add_typer(webhooks.app, name="webhook")
app.add_typer(database.db, name="db")
app.add_typer(database.key, name="key")
app.command("doctor")(doctor.doctor)


@app.callback()
def referrals() -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Exit code 1 for what could not be done, 2 for a command that cannot be understood."""
    as_json = "--json" in (sys.argv if arguments is None else arguments)
    try:
        app(arguments, prog_name="referrals")
    except OSError as error:
        Failure(str(error)).report(as_json=as_json)
    except Failure as failure:
        failure.report(as_json=as_json)
    sys.exit(1)


if __name__ == "__main__":
    main()
