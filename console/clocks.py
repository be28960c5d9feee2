"""The citizen's 72 hours, or a crisis's one hour, as words and a colour: in lists, on the ticket and in desk.js."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from routing.sla import first_reply_target
from storage.models import Ticket
from storage.tickets import OPEN_STATUSES

SOON_SHARE = 0.2
"""“Soon due” begins when less than this share of the time is left."""

Words = Callable[..., str]


@dataclass(frozen=True, slots=True)
class Clock:
    """``state``: plenty, soon, overdue (running); on_time, late, off (stopped). Running ones tick in the browser."""

    state: str
    text: str
    badge: str
    due_at: datetime
    soon_at: datetime
    is_running: bool


BADGES = {"plenty": "ok", "soon": "warn", "overdue": "late", "on_time": "ok", "late": "late", "off": "plain"}


def span(t: Words, length: timedelta) -> str:
    """“2 天 3 小时”, “23 小时 12 分”, “12 分”: two units at most, rounded down to the minute."""
    minutes = max(0, int(length.total_seconds()) // 60)
    days, hours = minutes // 1440, minutes // 60
    if days >= 2:
        return t("ui_desk.span_days", days=days, hours=hours - days * 24)
    if hours >= 1:
        return t("ui_desk.span_hours", hours=hours, minutes=minutes % 60)
    return t("ui_desk.span_minutes", minutes=minutes)


def clock_of(ticket: Ticket, now: datetime, t: Words) -> Clock:
    due_at = first_reply_target(ticket.opened_at, ticket.urgency) if ticket.is_crisis else ticket.due_at
    soon_at = due_at - (due_at - ticket.opened_at) * SOON_SHARE
    is_running = ticket.first_reply_at is None and ticket.status in OPEN_STATUSES
    if is_running:
        left = due_at - now
        state = "overdue" if now > due_at else "soon" if now > soon_at else "plenty"
        text = t(f"ui_desk.clock_{'overdue' if state == 'overdue' else 'left'}", span=span(t, abs(left)))
    else:
        if ticket.first_reply_at is None:
            state = "late" if ticket.breached_at else "off"
        else:
            state = "on_time" if ticket.first_reply_at <= due_at else "late"
        text = t(f"ui_desk.clock_{state}")
    return Clock(state, text, BADGES[state], due_at, soon_at, is_running)
