"""Error of simulations."""

from referrals.errors import ReferralsError


class SimulationError(ReferralsError):
    """The engine did what a simulation does not know, or failed. It is a mistake of the engine, not of a campaign."""
