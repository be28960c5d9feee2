"""The 72 hours as words and a colour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from console.clocks import clock_of, span
from storage.models import Ticket
from tests.console.conftest import whole_wording

DUE = datetime(2026, 11, 27, 2, 0, tzinfo=UTC)
OPENED = DUE - timedelta(hours=72)
WORDING = whole_wording()


def t(key: str, **values: object) -> str:
    return WORDING.text("zh_CN", key, **values)


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (0, "0 分"),
        (59, "59 分"),
        (60, "1 小时 0 分"),
        (2879, "47 小时 59 分"),
        (2880, "2 天 0 小时"),
        (4319, "2 天 23 小时"),
    ],
)
def test_spans_have_two_units_at_most(minutes: int, words: str) -> None:
    assert span(t, timedelta(minutes=minutes, seconds=59)) == words


@pytest.mark.parametrize(
    ("hours_left", "state", "badge"),
    [
        (72, "plenty", "ok"),
        (14.4, "plenty", "ok"),
        (14.3, "soon", "warn"),
        (0, "soon", "warn"),
        (-0.1, "overdue", "late"),
    ],
)
def test_a_running_clock(hours_left: float, state: str, badge: str) -> None:
    ticket = Ticket(opened_at=OPENED, due_at=DUE, status="dispatched", first_reply_at=None, breached_at=None)
    clock = clock_of(ticket, DUE - timedelta(hours=hours_left), t)
    assert (clock.state, clock.badge, clock.is_running) == (state, badge, True)


@pytest.mark.parametrize(
    ("replied_after_due", "breached", "status", "state"),
    [(-1.0, False, "answered", "on_time"), (0.0, False, "closed", "on_time"), (1.0, True, "answered", "late"),
     (None, False, "withdrawn", "off"), (None, True, "withdrawn", "late")],
)  # fmt: skip
def test_a_stopped_clock(replied_after_due: float | None, breached: bool, status: str, state: str) -> None:
    replied = None if replied_after_due is None else DUE + timedelta(hours=replied_after_due)
    ticket = Ticket(
        opened_at=OPENED, due_at=DUE, status=status, first_reply_at=replied, breached_at=DUE if breached else None
    )
    clock = clock_of(ticket, DUE + timedelta(days=9), t)
    assert (clock.state, clock.is_running) == (state, False)


def test_people_in_danger_have_the_clock_of_one_hour() -> None:
    ticket = Ticket(
        opened_at=OPENED, due_at=DUE, status="dispatched", first_reply_at=None, is_crisis=True, urgency="critical"
    )
    assert clock_of(ticket, OPENED + timedelta(minutes=30), t).due_at == OPENED + timedelta(hours=1)
    assert clock_of(ticket, OPENED + timedelta(minutes=61), t).state == "overdue"
