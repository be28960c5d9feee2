"""Named points where a test may make the process die, wait or fail: ``FAILPOINTS=before_commit=kill,in_tx=sleep:50``.

``kill:3`` dies at the third hit. Without the variable a hit costs one dictionary look-up. Refused in production.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter

NAMES = frozenset(
    {"after_verify", "in_tx", "before_commit", "after_commit", "after_claim", "before_send", "after_send"}
)


class FailPointError(RuntimeError):
    """Raised by a fail point set to ``raise``."""


def _parse(text: str) -> dict[str, str]:
    points = dict(item.split("=", 1) for item in text.split(",") if "=" in item)
    unknown = points.keys() - NAMES
    if unknown:
        raise ValueError(f"FAILPOINTS: unknown name {sorted(unknown)[0]!r}")
    return points


_ACTIVE = _parse(os.environ.get("FAILPOINTS", ""))
_hits: Counter[str] = Counter()


def refuse_in_production(environment: str) -> None:
    if _ACTIVE and environment == "production":
        raise ValueError("FAILPOINTS must not be set in production")


def hit(name: str) -> None:
    action = _ACTIVE.get(name)
    if action is None:
        return
    verb, _, number = action.partition(":")
    if verb == "kill":
        _hits[name] += 1
        if _hits[name] >= int(number or 1):
            os.kill(os.getpid(), signal.SIGKILL)
    elif verb == "sleep":
        time.sleep(int(number) / 1000)
    else:
        raise FailPointError(name)
