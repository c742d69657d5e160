"""How often somebody may do something."""

import math
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from app.errors import TooManyRequestsError
from app.said import Said


class Throttle:
    """So many times a minute for each client; in memory, forgotten at a restart."""

    def __init__(self, *, per_minute: int) -> None:
        self._limit = RateLimitItemPerMinute(per_minute)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

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
            Said("Too many at once: {n} a minute are allowed.", n=self._limit.amount),
            fix=Said("Try again in {seconds} s.", seconds=wait_s),
            retry_after_s=wait_s,
        )
