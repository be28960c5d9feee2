"""How a ticket stands, as text for its requester and as five steps for the public page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from handlers.services import Services
from routing.lifecycle import TicketStatus, step
from storage import ratings, tickets
from storage.models import Ticket, TicketEvent, Visibility

STEP_COUNT = 5
SHOWN_EVENTS = 40


@dataclass(frozen=True, slots=True)
class StepShown:
    name: str
    state: str
    """done, current or todo"""
    at: datetime | None


@dataclass(frozen=True, slots=True)
class EventShown:
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class CaseShown:
    """A ticket's progress with nothing personal in it."""

    number: str
    topic: str
    unit: str
    opened_at: datetime
    due_at: datetime
    is_overdue: bool
    is_waiting: bool
    status_text: str
    outcome: str
    steps: tuple[StepShown, ...]
    events: tuple[EventShown, ...]


def topic_name(services: Services, ticket: Ticket, locale: str) -> str:
    """A restricted ticket does not say what it is about."""
    if ticket.sensitivity == tickets.RESTRICTED:
        return services.text(locale, "ticket_progress.restricted_topic")
    return services.topics.name(ticket.topic, locale)


def is_late(ticket: Ticket, now: datetime) -> bool:
    return ticket.breached_at is not None or (ticket.status in tickets.OPEN_STATUSES and now > ticket.due_at)


def _event_text(services: Services, event: TicketEvent, locale: str) -> str:
    unit = services.unit_name(event.data.get("unit") or event.unit_code)
    old_unit = services.unit_name(event.data.get("from"))
    return services.text(locale, f"case_event.{event.kind}", unit=unit, old_unit=old_unit)


def _public(events: Sequence[TicketEvent]) -> list[TicketEvent]:
    """What may be told on the public page: that something happened, never the words that were written."""
    named = {"answered", "asked", "supplied"}
    return [event for event in events if event.visibility == Visibility.PUBLIC or event.kind in named]


async def status_text(session: AsyncSession, services: Services, ticket: Ticket, locale: str) -> str:
    """One ticket for its requester: topic, status, unit, last step, due time."""
    events = _public(await tickets.events(session, ticket.id))
    last = _event_text(services, events[-1], locale) if events else ""
    now = services.now()
    key = "ticket_progress.one_done"
    if ticket.is_crisis and ticket.status in tickets.OPEN_STATUSES:
        key = "ticket_progress.one_crisis"
    elif ticket.status in tickets.OPEN_STATUSES:
        key = "ticket_progress.one_late" if is_late(ticket, now) else "ticket_progress.one"
    return services.text(
        locale,
        key,
        ticket_no=ticket.number,
        topic=topic_name(services, ticket, locale),
        status=services.text(locale, f"status.{ticket.status}"),
        unit=services.unit_name(ticket.unit_code),
        last_step=last,
        due=services.time_text(locale, ticket.due_at),
        hours_left=max(0, math.ceil((ticket.due_at - now).total_seconds() / 3600)),
    )


async def case_shown(session: AsyncSession, services: Services, ticket: Ticket, locale: str) -> CaseShown:
    events = await tickets.events(session, ticket.id)
    rating = await ratings.current(session, ticket.id, ticket.cycle)
    public = _public(events)
    return CaseShown(
        number=ticket.number,
        topic=topic_name(services, ticket, locale),
        unit=services.unit_name(ticket.unit_code),
        opened_at=ticket.opened_at,
        due_at=ticket.due_at,
        is_overdue=is_late(ticket, services.now()),
        is_waiting=ticket.status in tickets.OPEN_STATUSES,
        status_text=services.text(locale, f"status.{ticket.status}"),
        outcome=services.text(locale, f"outcome.{ticket.outcome}") if ticket.outcome else "",
        steps=_steps(services, ticket, events, locale, is_rated=rating is not None),
        events=tuple(
            EventShown(event.at, _event_text(services, event, locale)) for event in reversed(public[-SHOWN_EVENTS:])
        ),
    )


_STEP_KINDS = (("opened",), ("routed",), ("taken",), ("answered",), ("solved", "closed", "withdrawn"))


def _steps(
    services: Services, ticket: Ticket, events: Sequence[TicketEvent], locale: str, *, is_rated: bool
) -> tuple[StepShown, ...]:
    """已接收 → 核实分析 → 协调解决 → 已反馈 → 请评价, with the time each was last reached."""
    present = step(TicketStatus(ticket.status))
    if is_rated and present == STEP_COUNT:
        present += 1
    reached: list[datetime | None] = [
        next((event.at for event in reversed(events) if event.kind in kinds), None) for kinds in _STEP_KINDS
    ]
    return tuple(
        StepShown(
            name=services.text(locale, f"case_step.{index}"),
            state="done" if index < present else "current" if index == present else "todo",
            at=reached[index - 1] if index <= present else None,
        )
        for index in range(1, STEP_COUNT + 1)
    )
