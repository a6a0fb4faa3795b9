"""The channel of a programme that is not connected to anything yet."""

from referrals.channels import OutgoingMessage


class LogChannel:
    """Sends nothing: the message's row, which the console shows, holds its text already."""

    name = "log"
    reports_outcome = False

    async def send(self, message: OutgoingMessage) -> None:
        """Nothing, and no vendor's reference."""
