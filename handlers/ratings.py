"""The requester's verdict: solved or not, one to five in words, a comment."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from handlers.errors import TicketMovedOn
from handlers.record import tell_desk, write
from handlers.services import Services
from handlers.tickets import may_be_rated
from routing.lifecycle import Outcome, TicketAction, TicketStatus, may
from storage import ratings
from storage.models import Rating, Ticket, Visibility

CHANGE_WITHIN = timedelta(days=7)
SOLVED = ("yes", "partly", "no")
MAX_COMMENT = 1_000


async def require_rateable(session: AsyncSession, ticket: Ticket, *, at: datetime) -> Rating | None:
    """The present rating, if any. Raises TicketMovedOn when there is nothing to rate (yet) or it is too late."""
    if not await may_be_rated(session, ticket):
        surveyed = ticket.status not in (TicketStatus.ANSWERED, TicketStatus.CLOSED)
        raise TicketMovedOn("rate.not_yet" if surveyed else "rate.not_surveyed", ticket_no=ticket.number)
    present = await ratings.current(session, ticket.id, ticket.cycle)
    # Counted from the first verdict: one that is touched every week would never stand.
    if present is not None and at - await ratings.begun_at(session, ticket.id, ticket.cycle) > CHANGE_WITHIN:
        raise TicketMovedOn("rate.expired", ticket_no=ticket.number)
    return present


def _only_completes(present: Rating, solved: str | None, satisfaction: int | None, comment: str | None) -> bool:
    """The next step of the same verdict (solved, then a score, then a comment), not a change of it."""
    changes_score = satisfaction is not None and present.satisfaction is not None
    changes_comment = comment is not None and present.comment is not None
    return solved is None and not changes_score and not changes_comment


async def record(
    session: AsyncSession,
    services: Services,
    ticket: Ticket,
    *,
    at: datetime,
    solved: str | None = None,
    satisfaction: int | None = None,
    comment: str | None = None,
) -> Rating:
    """Add to the verdict on this cycle: what is given replaces, the rest stays. A ticket that waited for it closes."""
    present = await require_rateable(session, ticket, at=at)
    if present is not None and _only_completes(present, solved, satisfaction, comment):
        present.satisfaction = satisfaction if satisfaction is not None else present.satisfaction
        present.comment = comment[:MAX_COMMENT] if comment is not None else present.comment
        tell_desk(session, services, ticket)
        return present
    rating = Rating(
        ticket_id=ticket.id,
        cycle=ticket.cycle,
        solved=solved or (present.solved if present else "yes"),
        satisfaction=satisfaction if satisfaction is not None else (present.satisfaction if present else None),
        comment=comment[:MAX_COMMENT] if comment is not None else (present.comment if present else None),
        unit_code=ticket.unit_code,
        unit_path=services.tree.path(ticket.unit_code),
        user_id=ticket.assignee_id,
        topic=ticket.topic,
        is_current=True,
        created_at=at,
    )
    await ratings.add(session, rating)
    if may(TicketStatus(ticket.status), TicketAction.SOLVED) and rating.solved != "no":
        await write(
            session,
            services,
            ticket,
            "solved",
            at=at,
            visibility=Visibility.PUBLIC,
            action=TicketAction.SOLVED,
            by_requester=True,
            data={"solved": rating.solved},
        )
        ticket.outcome = Outcome.SOLVED if rating.solved == "yes" else Outcome.PARTLY
        ticket.closed_at = at
    else:
        tell_desk(session, services, ticket)
    return rating
