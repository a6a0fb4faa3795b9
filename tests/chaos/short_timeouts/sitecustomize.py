"""Shorten the timeouts of reward providers from minutes to seconds, in every process with this folder on its path.

The order of the timeouts is that of the product: a booking is looked up only when it must be visible.
"""

from datetime import timedelta
from functools import partial

from temporalio.common import RetryPolicy

import activities.provider_calls
import activities.rewards
import referrals.providers.circuit_breaker
import referrals.providers.setup
import workflows.options
from referrals.http_client import open_client
from referrals.providers.talon_one import TalonOne
from referrals.providers.voucherify import Voucherify

referrals.providers.setup.open_client = partial(open_client, connect=1, read=0.7)
Voucherify.visible_after = timedelta(seconds=3)
TalonOne.visible_after = timedelta(seconds=1)
activities.provider_calls.INITIAL_RETRY_DELAY = timedelta(seconds=0.2)
activities.provider_calls.MAX_RETRY_DELAY = timedelta(seconds=2)
activities.provider_calls.MAX_OUTAGE_DELAY = timedelta(seconds=2)
activities.rewards.POLL_INTERVAL = timedelta(seconds=1)
activities.provider_calls.CALL_TIMEOUT = timedelta(seconds=8)
activities.provider_calls.MAX_IN_FLIGHT_TIME = timedelta(seconds=3)
referrals.providers.circuit_breaker.OPEN_DURATION = timedelta(seconds=1)
workflows.options.REWARD_OPTIONS["start_to_close_timeout"] = timedelta(seconds=20)
workflows.options.REWARD_OPTIONS["retry_policy"] = RetryPolicy(
    maximum_interval=timedelta(seconds=2)
)
