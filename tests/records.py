"""What must hold in every database after any dialogue; checked when a test's house closes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from sqlalchemy import select

from routing.lifecycle import TRANSITIONS, Outcome, TicketAction, TicketStatus
from routing.sla import CITIZEN_LIMIT
from storage.models import Conversation, InboundMessage, OutboxMessage, Ticket, TicketEvent, Timer
from storage.session import Database


def replayed(events: Iterable[TicketEvent]) -> TicketStatus:
    """The status that the record alone tells. Raises KeyError for a step that the table does not have."""
    status = TicketStatus.SUBMITTED
    for event in events:
        if event.action is not None:
            status = TRANSITIONS[status, TicketAction(event.action)]
    return status


def check_ticket(ticket: Ticket, events: list[TicketEvent], timers: list[Timer]) -> None:
    """Status, outcome, texts and clocks of one ticket agree with its record."""
    number = ticket.number
    assert [event.seq for event in events] == list(range(1, ticket.event_count + 1)), number
    assert replayed(events) == ticket.status, number
    assert events[0].kind == "opened", number
    for event in events:
        if event.action in (TicketAction.ANSWER, TicketAction.ASK):
            assert event.text.strip(), f"{number}: {event.kind} without words"
    if ticket.status == TicketStatus.CLOSED:
        assert ticket.outcome in set(Outcome), number
        assert ticket.closed_at is not None, number
    assert (ticket.status == TicketStatus.WITHDRAWN) == (ticket.outcome == Outcome.WITHDRAWN), number
    assert sum(event.action == TicketAction.ASK for event in events) == ticket.asked_times <= 2, number
    _check_clocks(ticket, events, timers)


def _check_clocks(ticket: Ticket, events: list[TicketEvent], timers: list[Timer]) -> None:
    starts = [ticket.opened_at, *(event.at for event in events if event.kind == "reopened")]
    assert [(timer.cycle, timer.started_at) for timer in timers] == list(enumerate(starts, start=1)), ticket.number
    assert all(timer.due_at - timer.started_at == CITIZEN_LIMIT for timer in timers), ticket.number
    assert timers[-1].cycle == ticket.cycle, ticket.number
    assert timers[-1].due_at == ticket.due_at, ticket.number
    assert timers[-1].breached_at == ticket.breached_at, ticket.number
    breaches = [timer.breached_at for timer in timers if timer.breached_at is not None]
    assert len(breaches) == sum(event.kind == "overdue" for event in events), ticket.number
    is_finished = ticket.status in (TicketStatus.ANSWERED, TicketStatus.CLOSED, TicketStatus.WITHDRAWN)
    assert (timers[-1].stopped_at is not None) == (is_finished or ticket.first_reply_at is not None), ticket.number


async def check_records(database: Database) -> None:
    """Every ticket agrees with its record; every conversation numbers what was said without gap or repeat."""
    async with database.reading() as session:
        tickets = (await session.execute(select(Ticket))).scalars().all()
        events = (await session.execute(select(TicketEvent).order_by(TicketEvent.seq))).scalars().all()
        timers = (await session.execute(select(Timer).order_by(Timer.cycle))).scalars().all()
        talks = (await session.execute(select(Conversation.id, Conversation.next_seq))).all()
        said = Counter[tuple[int, int]]()
        for table in (InboundMessage, OutboxMessage):
            for row in await session.execute(select(table.conversation_id, table.seq)):
                said[row.conversation_id, row.seq] += 1
    for ticket in tickets:
        check_ticket(
            ticket,
            [event for event in events if event.ticket_id == ticket.id],
            [timer for timer in timers if timer.ticket_id == ticket.id],
        )
    assert said == Counter({(talk.id, seq): 1 for talk in talks for seq in range(1, talk.next_seq)})
