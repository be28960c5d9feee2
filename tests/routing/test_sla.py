from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from routing.sla import citizen72_due, first_reply_target, is_overdue, progress

OPENED = datetime(2026, 11, 20, 18, 0, tzinfo=timezone(timedelta(hours=8)))


def test_the_citizen_is_promised_72_natural_hours_over_the_weekend() -> None:
    due = citizen72_due(OPENED)
    assert due == datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    assert due.tzinfo is UTC


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        citizen72_due(datetime(2026, 11, 20, 18, 0))  # noqa: DTZ001 - the fault under test


def test_progress_grows_past_one_when_overdue() -> None:
    due = citizen72_due(OPENED)
    assert progress(OPENED, due, OPENED) == 0
    assert progress(OPENED, due, OPENED - timedelta(hours=1)) == 0
    assert progress(OPENED, due, OPENED + timedelta(hours=36)) == 0.5
    assert progress(OPENED, due, OPENED + timedelta(hours=144)) == 2
    assert progress(due, OPENED, OPENED) == 1


def test_the_due_moment_is_still_in_time() -> None:
    due = citizen72_due(OPENED)
    assert not is_overdue(due, due)
    assert is_overdue(due, due + timedelta(seconds=1))


def test_urgency_shortens_the_units_own_target_only() -> None:
    targets = [first_reply_target(OPENED, urgency) for urgency in ("critical", "high", "normal", "low", "unheard")]
    assert targets == sorted(targets)
    assert targets[1] - OPENED == timedelta(hours=24)
    assert max(targets) == citizen72_due(OPENED)
