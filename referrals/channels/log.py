"""Log channel, for a programme without a vendor: the message is only stored."""

from referrals.channels import OutgoingMessage


class LogChannel:
    """Send nothing. The message's row, which the API shows, already holds its text."""

    name = "log"
    reports_outcome = False

    async def send(self, message: OutgoingMessage) -> None:
        """Do nothing; there is no vendor reference."""
