"""The `referrals` command."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from entrypoints.cli import (
    api,
    campaign,
    campaign_test,
    codes,
    coupon,
    customer,
    db,
    delivery,
    demo,
    dev,
    doctor,
    event,
    key,
    message,
    publish,
    qr,
    referral,
    reward,
    template,
    tracked_event,
    webhook,
    worker,
    workflow_start,
)
from entrypoints.cli.errors import CommandError, describe_os_error

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A durable referral programme engine on Temporal.",
)
app.command("demo")(demo.demo)
app.command("dev")(dev.dev)
app.command("worker")(worker.worker)
app.command("api")(api.api)
app.command("doctor")(doctor.doctor)
app.command("publish")(publish.publish)
app.command("qr")(qr.qr)
campaign.app.command("test")(campaign_test.play)
app.add_typer(campaign.app, name="campaign")
app.add_typer(codes.app, name="codes")
app.add_typer(event.app, name="event")
app.add_typer(referral.app, name="referral")
app.add_typer(reward.app, name="reward")
app.add_typer(customer.app, name="customer")
app.add_typer(coupon.app, name="coupon")
app.add_typer(message.app, name="message")
app.add_typer(tracked_event.app, name="tracked-event")
app.add_typer(template.app, name="template")
app.add_typer(webhook.app, name="webhook")
app.add_typer(delivery.app, name="delivery")
app.add_typer(workflow_start.app, name="workflow-start")
app.add_typer(db.app, name="db")
app.add_typer(key.app, name="key")


def _print_version(requested: bool) -> None:
    if requested:
        from referrals.version import VERSION

        print(VERSION)
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option(
        "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
    ),
]


@app.callback()
def referrals(version: Version = False) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command. Exit code 1: the command failed; 2: invalid arguments."""
    as_json = "--json" in (sys.argv if arguments is None else arguments)
    try:
        app(arguments, prog_name="referrals")
    except OSError as error:
        CommandError(describe_os_error(error)).report(as_json=as_json)
    except CommandError as error:
        error.report(as_json=as_json)
    sys.exit(1)


if __name__ == "__main__":
    main()
