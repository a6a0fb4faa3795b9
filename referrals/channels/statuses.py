from referrals.domain.statuses import FailureKind, Preference, Status

__all__ = ["FailureKind", "Preference", "Status"]
