"""Time limits (shared/domain/tickets.md, “Clocks”). Working-time legs of the units are not here.

All times are aware; results are UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

# The promise to the citizen: 72 natural hours, never paused and never reset.
CITIZEN_LIMIT: Final = timedelta(hours=72)

# topics.yml, urgency_levels. These are the units' own targets; they never move the citizen's 72 hours. “critical” means
# “tell the people on duty at once”: the hour is what they have for the first reply.
FIRST_REPLY_TARGETS: Final[Mapping[str, timedelta]] = MappingProxyType(
    {
        "critical": timedelta(hours=1),
        "high": timedelta(hours=24),
        "normal": timedelta(hours=72),
        "low": timedelta(hours=72),
    }
)


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a time without a time zone")
    return moment.astimezone(UTC)


def citizen72_due(opened_at: datetime) -> datetime:
    """When the citizen must have had a substantive reply."""
    return _aware(opened_at) + CITIZEN_LIMIT


def first_reply_target(opened_at: datetime, urgency: str) -> datetime:
    """The internal target for the first reply; an unknown urgency counts as normal."""
    return _aware(opened_at) + FIRST_REPLY_TARGETS.get(urgency, CITIZEN_LIMIT)


def progress(opened_at: datetime, due_at: datetime, now: datetime) -> float:
    """The share of the time that is used up: 0.0 at the start, 1.0 when due, more when overdue."""
    opened, due, moment = _aware(opened_at), _aware(due_at), _aware(now)
    if due <= opened:
        return 1.0
    return max(0.0, (moment - opened) / (due - opened))


def is_overdue(due_at: datetime, now: datetime) -> bool:
    """The due moment itself is still in time."""
    return _aware(now) > _aware(due_at)
