"""Every query over tickets. Who may see what is decided by the caller through ``Scope``, and enforced here in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, func, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql import ColumnElement

from storage.models import NumberSeries, OrgUnitRow, RoutingDecision, Ticket, TicketEvent, Timer
from storage.org_units import in_subtree
from storage.upserts import insert_into

OPEN_STATUSES = ("submitted", "triage", "dispatched", "accepted", "working", "need_info", "return_requested")
RESTRICTED = "restricted"


@dataclass(frozen=True, slots=True)
class Scope:
    """What somebody at the desk may see.

    A cadre: the subtree of ``unit_path``, but restricted tickets only of ``unit_code`` itself.
    An admin (``sees_all_units``): every unit, but nothing sensitive or restricted.
    """

    unit_code: str | None
    unit_path: str | None
    sees_all_units: bool = False

    def condition(self) -> ColumnElement[bool]:
        if self.sees_all_units:
            return Ticket.sensitivity.in_(("public", "internal"))
        if self.unit_path is None:
            return ~true()
        return and_(
            in_subtree(self.unit_path),
            or_(Ticket.sensitivity != RESTRICTED, Ticket.unit_code == self.unit_code),
        )


@dataclass(frozen=True, slots=True)
class Filters:
    """What the desk list is narrowed to. ``view``: open, mine, late, answered, closed, all."""

    view: str = "open"
    topic: str | None = None
    unit: str | None = None
    text: str = ""
    assignee_id: int | None = None


async def next_number(session: AsyncSession, prefix: str) -> str:
    """The next ticket number of this prefix (letters and yymmdd), e.g. GD2611230001."""
    statement = (
        insert_into(session, NumberSeries)
        .values(prefix=prefix, last=1)
        .on_conflict_do_update(index_elements=["prefix"], set_={"last": NumberSeries.last + 1})
        .returning(NumberSeries.last)
    )
    return f"{prefix}{(await session.execute(statement)).scalar_one():04d}"


async def by_number(session: AsyncSession, number: str, *, for_update: bool = False) -> Ticket | None:
    statement = select(Ticket).where(Ticket.number == number)
    if for_update:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return (await session.execute(statement)).scalar_one_or_none()


async def by_id(session: AsyncSession, ticket_id: int, *, for_update: bool = False) -> Ticket:
    statement = select(Ticket).where(Ticket.id == ticket_id)
    if for_update:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return (await session.execute(statement)).scalar_one()


async def in_scope(session: AsyncSession, number: str, scope: Scope, *, for_update: bool = False) -> Ticket | None:
    """The ticket if ``scope`` covers it; None for absent and foreign alike."""
    statement = (
        select(Ticket)
        .join(OrgUnitRow, OrgUnitRow.code == Ticket.unit_code)
        .where(Ticket.number == number, scope.condition())
    )
    if for_update:
        statement = statement.with_for_update(of=Ticket).execution_options(populate_existing=True)
    return (await session.execute(statement)).scalar_one_or_none()


def _view(filters: Filters, now: datetime) -> ColumnElement[bool]:
    is_open = Ticket.status.in_(OPEN_STATUSES)
    return {
        "open": is_open,
        "mine": and_(Ticket.assignee_id == filters.assignee_id, Ticket.status != "closed"),
        "late": and_(is_open, Ticket.first_reply_at.is_(None), Ticket.due_at < now),
        "answered": Ticket.status == "answered",
        "closed": Ticket.status.in_(("closed", "withdrawn", "merged")),
        "all": true(),
    }[filters.view]


def _matching(scope: Scope, filters: Filters, now: datetime) -> ColumnElement[bool]:
    parts = [scope.condition(), _view(filters, now)]
    if filters.topic:
        parts.append((Ticket.topic == filters.topic) | Ticket.topic.startswith(f"{filters.topic}.", autoescape=True))
    if filters.unit:
        parts.append(Ticket.unit_code == filters.unit)
    for word in filters.text.split()[:5]:
        parts.append(
            or_(
                Ticket.number.icontains(word, autoescape=True),
                Ticket.title.icontains(word, autoescape=True),
                Ticket.text.icontains(word, autoescape=True),
                Ticket.organisation.icontains(word, autoescape=True),
            )
        )
    return and_(*parts)


async def listing(
    session: AsyncSession, scope: Scope, filters: Filters, *, now: datetime, offset: int = 0, limit: int = 30
) -> list[tuple[Ticket, str]]:
    """Tickets with their unit's name: crisis first, then what is due first; finished ones newest first."""
    finished = filters.view in ("closed", "all", "answered")
    order = (
        (Ticket.updated_at.desc(), Ticket.id.desc())
        if finished
        else (Ticket.is_crisis.desc(), case((Ticket.first_reply_at.is_(None), 0), else_=1), Ticket.due_at, Ticket.id)
    )
    rows = await session.execute(
        select(Ticket, OrgUnitRow.name)
        .join(OrgUnitRow, OrgUnitRow.code == Ticket.unit_code)
        .where(_matching(scope, filters, now))
        .order_by(*order)
        .offset(offset)
        .limit(limit)
    )
    return [(ticket, name) for ticket, name in rows]


async def count(session: AsyncSession, scope: Scope, filters: Filters, *, now: datetime) -> int:
    return (
        await session.execute(
            select(func.count())
            .select_from(Ticket)
            .join(OrgUnitRow, OrgUnitRow.code == Ticket.unit_code)
            .where(_matching(scope, filters, now))
        )
    ).scalar_one()


@dataclass(frozen=True, slots=True)
class ViewCounts:
    """How many tickets each view of the desk list holds, and when one of them last changed."""

    views: dict[str, int]
    updated_at: datetime | None


async def view_counts(session: AsyncSession, scope: Scope, filters: Filters, *, now: datetime) -> ViewCounts:
    """All views in one pass over the scope; ``filters.view`` does not matter."""
    views = ("open", "mine", "late", "answered", "closed", "all")
    columns = [func.count(case((_view(replace(filters, view=view), now), 1))).label(view) for view in views]
    statement = select(*columns, func.max(Ticket.updated_at).label("updated_at")).select_from(Ticket)
    if not scope.sees_all_units:  # an admin's condition names no unit; the join would only double the time
        statement = statement.join(OrgUnitRow, OrgUnitRow.code == Ticket.unit_code)
    row = (await session.execute(statement.where(_matching(scope, replace(filters, view="all"), now)))).one()
    return ViewCounts({view: getattr(row, view) for view in views}, row.updated_at)


async def of_person(session: AsyncSession, person_id: int, *, limit: int = 20) -> Sequence[Ticket]:
    """A requester's own tickets, newest first."""
    rows = await session.execute(
        select(Ticket)
        .where(Ticket.person_id == person_id)
        .order_by(Ticket.opened_at.desc(), Ticket.id.desc())
        .limit(limit)
    )
    return rows.scalars().all()


async def add_event(
    session: AsyncSession,
    ticket: Ticket,
    kind: str,
    *,
    at: datetime,
    actor: str,
    visibility: str,
    text: str = "",
    action: str | None = None,
    user_id: int | None = None,
    unit_code: str | None = None,
    data: dict[str, Any] | None = None,
) -> TicketEvent:
    """Append to the ticket's record. ``actor`` is requester, cadre or system."""
    ticket.event_count += 1
    ticket.updated_at = at
    event = TicketEvent(
        ticket_id=ticket.id,
        seq=ticket.event_count,
        kind=kind,
        action=action,
        actor=actor,
        user_id=user_id,
        unit_code=unit_code,
        visibility=visibility,
        text=text,
        data=data or {},
        at=at,
    )
    session.add(event)
    return event


async def events(session: AsyncSession, ticket_id: int) -> Sequence[TicketEvent]:
    rows = await session.execute(
        select(TicketEvent).where(TicketEvent.ticket_id == ticket_id).order_by(TicketEvent.seq)
    )
    return rows.scalars().all()


async def decisions(session: AsyncSession, ticket_id: int) -> Sequence[RoutingDecision]:
    """Newest first."""
    rows = await session.execute(
        select(RoutingDecision).where(RoutingDecision.ticket_id == ticket_id).order_by(RoutingDecision.id.desc())
    )
    return rows.scalars().all()


async def timers(session: AsyncSession, ticket_id: int) -> Sequence[Timer]:
    rows = await session.execute(select(Timer).where(Timer.ticket_id == ticket_id).order_by(Timer.cycle, Timer.id))
    return rows.scalars().all()


async def stop_timers(session: AsyncSession, ticket_id: int, *, at: datetime) -> None:
    """Stop what still runs. A breach that was written down stays."""
    await session.execute(
        update(Timer).where(Timer.ticket_id == ticket_id, Timer.stopped_at.is_(None)).values(stopped_at=at)
    )


def _overdue(now: datetime) -> ColumnElement[bool]:
    return and_(Timer.stopped_at.is_(None), Timer.breached_at.is_(None), Timer.due_at <= now)


async def overdue_tickets(session: AsyncSession, *, now: datetime, limit: int) -> Sequence[int]:
    """Tickets with a running clock that has passed its due time and is not marked yet, longest overdue first."""
    rows = await session.execute(select(Timer.ticket_id).where(_overdue(now)).order_by(Timer.due_at).limit(limit))
    return rows.scalars().all()


async def overdue_timer(session: AsyncSession, ticket_id: int, *, now: datetime) -> Timer | None:
    rows = await session.execute(select(Timer).where(Timer.ticket_id == ticket_id, _overdue(now)).limit(1))
    return rows.scalar_one_or_none()


async def newest_crisis(session: AsyncSession, person_id: int, *, since: datetime) -> Ticket | None:
    """The person's crisis ticket that is still being worked on, if opened after ``since``."""
    rows = await session.execute(
        select(Ticket)
        .where(
            Ticket.person_id == person_id,
            Ticket.is_crisis,
            Ticket.status.in_(OPEN_STATUSES),
            Ticket.opened_at >= since,
        )
        .order_by(Ticket.id.desc())
        .limit(1)
        .with_for_update()
    )
    return rows.scalar_one_or_none()
