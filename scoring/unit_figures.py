"""A unit's plain figures: how much, how much of it in time, how it was rated. Each share keeps its n.

Shares are of sums, never means of means, so that a subtree is simply the sum of its units (shared/domain/tickets.md,
"Ratings"). What nobody rated is missing, never five.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitFigures:
    """Sums of one unit or of several. A case is one cycle of a ticket: reopening begins a new one.

    ``answered``: cases with a reply by a human; ``on_time``: those within 72 hours; ``overdue``: cases past their time
    without one. ``solved_points``: 1, ½ or 0 per rating. ``satisfaction_sum``: of ``satisfaction_count`` values 1 to 5.
    """

    unit_code: str = ""
    unit_name: str = ""
    received: int = 0
    answered: int = 0
    on_time: int = 0
    overdue: int = 0
    rated: int = 0
    solved_points: float = 0.0
    satisfaction_sum: int = 0
    satisfaction_count: int = 0

    @property
    def decided(self) -> int:
        """Cases of which it is known whether they were answered in time."""
        return self.answered + self.overdue

    @property
    def on_time_share(self) -> float | None:
        return self.on_time / self.decided if self.decided else None

    @property
    def solved_share(self) -> float | None:
        return self.solved_points / self.rated if self.rated else None

    @property
    def satisfaction(self) -> float | None:
        """Mean of one to five."""
        return self.satisfaction_sum / self.satisfaction_count if self.satisfaction_count else None


def total(units: Iterable[UnitFigures]) -> UnitFigures:
    """All of them as one."""
    rows = list(units)
    return UnitFigures(
        received=sum(row.received for row in rows),
        answered=sum(row.answered for row in rows),
        on_time=sum(row.on_time for row in rows),
        overdue=sum(row.overdue for row in rows),
        rated=sum(row.rated for row in rows),
        solved_points=sum(row.solved_points for row in rows),
        satisfaction_sum=sum(row.satisfaction_sum for row in rows),
        satisfaction_count=sum(row.satisfaction_count for row in rows),
    )
