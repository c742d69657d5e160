"""How often somebody may do something."""

import math
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from app.errors import TooManyRequestsError


class Throttle:
    """So many times a minute for each client; in memory, forgotten at a restart."""

    def __init__(self, *, per_minute: int, what: str) -> None:
        self._limit = RateLimitItemPerMinute(per_minute)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._what = what

    def take(self, client: str) -> None:
        """Count one more.

        Raises:
            TooManyRequestsError: says after how many seconds there is room again.
        """
        if self._limiter.hit(self._limit, client):
            return
        stats = self._limiter.get_window_stats(self._limit, client)
        wait_s = max(1, math.ceil(stats.reset_time - time.time()))
        raise TooManyRequestsError(
            f"Too many {self._what}: {self._limit.amount} a minute are allowed.",
            fix=f"Try again in {wait_s} s.",
            retry_after_s=wait_s,
        )
