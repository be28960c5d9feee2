"""Moving a ticket through the table and writing its record: the one place where a status changes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from handlers.access import Responder
from handlers.errors import TicketMovedOn
from handlers.services import Services
from routing.lifecycle import NotAllowed, TicketAction, TicketStatus, next_status
from storage import tickets
from storage.models import Ticket, TicketEvent, Visibility
from storage.session import announce


def move(ticket: Ticket, action: TicketAction) -> None:
    """Apply one action of the table. Raises TicketMovedOn when the status does not allow it."""
    try:
        ticket.status = next_status(TicketStatus(ticket.status), action)
    except NotAllowed as error:
        raise TicketMovedOn from error


def tell_desk(session: AsyncSession, services: Services, ticket: Ticket, *codes: str) -> None:
    """Ring the desks that may see this ticket, once committed. A restricted one rings its own unit only."""
    units = {ticket.unit_code, *codes}
    if ticket.sensitivity != tickets.RESTRICTED:
        units |= {above for code in tuple(units) for above in services.tree.ancestors(code)}
        units.add("")
    announce(session, f"ticket:{ticket.number}", *(f"desk:{code}" for code in units))


async def write(
    session: AsyncSession,
    services: Services,
    ticket: Ticket,
    kind: str,
    *,
    at: datetime,
    visibility: Visibility,
    text: str = "",
    action: TicketAction | None = None,
    by: Responder | None = None,
    by_requester: bool = False,
    data: dict[str, Any] | None = None,
) -> TicketEvent:
    """Append an event, moving the status first if it has an action, and ring the desks."""
    if action is not None:
        move(ticket, action)
    tell_desk(session, services, ticket)
    actor = "cadre" if by is not None else "requester" if by_requester else "system"
    return await tickets.add_event(
        session,
        ticket,
        kind,
        at=at,
        actor=actor,
        visibility=visibility,
        text=text,
        action=action,
        user_id=by.id if by else None,
        unit_code=by.unit_code if by else None,
        data=data,
    )
