"""Ratings of tickets, thumbs on the bot's answers, and what was not understood."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import case, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from scoring.unit_figures import UnitFigures
from storage.models import OrgUnitRow, Rating, Ticket, Timer
from storage.org_units import in_subtree


async def current(session: AsyncSession, ticket_id: int, cycle: int) -> Rating | None:
    rows = await session.execute(
        select(Rating)
        .where(Rating.ticket_id == ticket_id, Rating.cycle == cycle, Rating.is_current)
        .order_by(Rating.id.desc())
        .limit(1)
    )
    return rows.scalar_one_or_none()


async def begun_at(session: AsyncSession, ticket_id: int, cycle: int) -> datetime:
    """When this cycle was first rated. Raises NoResultFound when it was not."""
    rows = await session.execute(
        select(Rating.created_at)
        .where(Rating.ticket_id == ticket_id, Rating.cycle == cycle)
        .order_by(Rating.id)
        .limit(1)
    )
    return rows.scalar_one()


async def of_ticket(session: AsyncSession, ticket_id: int) -> Sequence[Rating]:
    rows = await session.execute(select(Rating).where(Rating.ticket_id == ticket_id).order_by(Rating.id))
    return rows.scalars().all()


async def add(session: AsyncSession, rating: Rating) -> None:
    """Append a rating; it takes the place of the cycle's earlier one, which stays on record."""
    await session.execute(
        update(Rating)
        .where(Rating.ticket_id == rating.ticket_id, Rating.cycle == rating.cycle, Rating.is_current)
        .values(is_current=False)
    )
    session.add(rating)


async def per_unit(session: AsyncSession, unit_path: str | None) -> list[UnitFigures]:
    """Figures of every unit in the subtree (all units for None) that received a ticket or a rating."""
    counted = Ticket.status.not_in(("withdrawn", "merged")) | Timer.breached_at.is_not(None)
    received = (
        select(
            Ticket.unit_code.label("unit"),
            func.count().label("received"),
            func.count(Timer.stopped_at).label("answered"),
            func.sum(case((Timer.stopped_at <= Timer.due_at, 1), else_=0)).label("on_time"),
            func.count(case((Timer.stopped_at.is_(None), Timer.breached_at))).label("overdue"),
        )
        .join(Ticket, Ticket.id == Timer.ticket_id)
        .where(Timer.kind == "citizen72", counted)
        .group_by(Ticket.unit_code)
        .subquery()
    )
    rated = (
        select(
            Rating.unit_code.label("unit"),
            func.count().label("rated"),
            func.sum(case((Rating.solved == "yes", 1.0), (Rating.solved == "partly", 0.5), else_=0.0)).label("points"),
            func.coalesce(func.sum(Rating.satisfaction), 0).label("total"),
            func.count(Rating.satisfaction).label("scored"),
        )
        .where(Rating.is_current)
        .group_by(Rating.unit_code)
        .subquery()
    )
    statement = (
        select(OrgUnitRow.code, OrgUnitRow.name, received, rated)
        .outerjoin(received, received.c.unit == OrgUnitRow.code)
        .outerjoin(rated, rated.c.unit == OrgUnitRow.code)
        .where((received.c.received > 0) | (rated.c.rated > 0))
        .order_by(OrgUnitRow.path)
    )
    if unit_path is not None:
        statement = statement.where(in_subtree(unit_path))
    return [
        UnitFigures(
            unit_code=row.code,
            unit_name=row.name,
            received=row.received or 0,
            answered=row.answered or 0,
            on_time=row.on_time or 0,
            rated=row.rated or 0,
            solved_points=float(row.points or 0),
            satisfaction_sum=int(row.total or 0),
            satisfaction_count=row.scored or 0,
            overdue=row.overdue or 0,
        )
        for row in await session.execute(statement)
    ]
