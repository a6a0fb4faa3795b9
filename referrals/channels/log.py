"""The channel of a programme that is not connected to anything yet."""

from referrals.channels import Outgoing


class LogChannel:
    """Sends nothing: the message's row, which the console shows, holds its text already."""

    name = "log"
    reconciles = False

    async def send(self, message: Outgoing) -> None:
        """Nothing, and no vendor's reference."""
