"""Rate limits per key, kept in memory: a leaky bucket that forgets idle keys."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

MAX_KEYS = 50_000


class RateLimit:
    """At most ``burst`` at once and ``per_minute`` in the long run, for each key."""

    def __init__(self, *, burst: int, per_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst, self._rate, self._clock = burst, per_minute / 60, clock
        self._buckets: dict[Hashable, tuple[float, float]] = {}

    def seconds_to_wait(self, key: Hashable) -> float:
        """Count one attempt; 0.0 when it is allowed, else how long to wait."""
        now = self._clock()
        level, at = self._buckets.get(key, (0.0, now))
        level = max(0.0, level - (now - at) * self._rate)
        if level + 1 > self._burst:
            self._buckets[key] = (level, now)
            return (level + 1 - self._burst) / self._rate
        if len(self._buckets) >= MAX_KEYS:
            self._forget_idle(now)
        self._buckets[key] = (level + 1, now)
        return 0.0

    def _forget_idle(self, now: float) -> None:
        self._buckets = {
            key: (level, at) for key, (level, at) in self._buckets.items() if level - (now - at) * self._rate > 0
        }
