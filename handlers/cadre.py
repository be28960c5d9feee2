"""What a cadre does with a ticket: hold it through access, move it by the table, record it, tell the requester."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from handlers import notices
from handlers.access import Responder, ticket_for_responder
from handlers.errors import BadInput, NotAllowedHere, TicketMovedOn
from handlers.inbound import clean_text
from handlers.record import move, tell_desk, write
from handlers.services import Services
from handlers.state import Waiting
from handlers.tickets import may_be_rated
from routing.lifecycle import Outcome, TicketAction, TicketStatus, may
from storage import conversations, tickets, users
from storage.models import RoutingDecision, Ticket, Visibility
from storage.org_units import by_code

MAX_ASKS = 2
MAX_WORDS = 5_000
CLOSING_OUTCOMES = (
    Outcome.SOLVED,
    Outcome.PARTLY,
    Outcome.EXPLAINED,
    Outcome.OUT_OF_SCOPE,
    Outcome.DUPLICATE_OF,
    Outcome.NO_CONTACT,
)


def _words(text: str, what: str) -> str:
    """A cadre's text, not empty and not endless. Raises BadInput naming the field."""
    text = clean_text(text).strip()
    if not text:
        raise BadInput("error.text_missing", field=what)
    if len(text) > MAX_WORDS:
        raise BadInput("error.text_too_long", field=what, limit=MAX_WORDS)
    return text


async def _hold(session: AsyncSession, responder: Responder, number: str) -> Ticket:
    """The ticket, locked, for someone who may act on it. Admins may look but not act.

    The conversation is locked first, as it is when the requester acts: one order, so that two acts never wait for
    each other.
    """
    seen = await ticket_for_responder(session, responder, number)
    if responder.is_admin:
        raise NotAllowedHere("error.admin_looks_only")
    await conversations.lock(session, seen.conversation_id)
    return await ticket_for_responder(session, responder, number, for_update=True)


async def _moved_on(session: AsyncSession, services: Services, ticket: Ticket) -> TicketMovedOn:
    """Say who was faster, or which status stands in the way."""
    status = services.named(f"status.{ticket.status}")
    if ticket.assignee_id is None:
        return TicketMovedOn("error.ticket_status", ticket_no=ticket.number, status=status)
    name = (await users.names(session, {ticket.assignee_id}))[ticket.assignee_id]
    return TicketMovedOn("error.ticket_taken_by", ticket_no=ticket.number, status=status, name=name)


async def _require(session: AsyncSession, services: Services, ticket: Ticket, action: TicketAction) -> None:
    if not may(TicketStatus(ticket.status), action):
        raise await _moved_on(session, services, ticket)


async def take(session: AsyncSession, responder: Responder, number: str, services: Services) -> Ticket:
    """Become the ticket's handler. Of several at once one wins; the others get TicketMovedOn."""
    ticket = await _hold(session, responder, number)
    await _take(session, responder, ticket, services)
    await notices.tell_requester(
        session,
        services,
        ticket,
        "ticket_progress.accepted",
        unit=services.unit_name(ticket.unit_code),
        due=services.moment(ticket.due_at),
    )
    return ticket


async def _take(session: AsyncSession, responder: Responder, ticket: Ticket, services: Services) -> None:
    await _require(session, services, ticket, TicketAction.TAKE)
    ticket.assignee_id = responder.id
    await write(
        session,
        services,
        ticket,
        "taken",
        at=services.now(),
        visibility=Visibility.PUBLIC,
        action=TicketAction.TAKE,
        by=responder,
    )


async def _take_if_waiting(session: AsyncSession, responder: Responder, ticket: Ticket, services: Services) -> None:
    """Answering or asking on a ticket that nobody took takes it first."""
    if may(TicketStatus(ticket.status), TicketAction.TAKE):
        await _take(session, responder, ticket, services)


async def answer(session: AsyncSession, responder: Responder, number: str, text: str, services: Services) -> Ticket:
    """Send a public answer: stops the citizen's clock and asks whether it is solved."""
    text = _words(text, "answer")
    ticket = await _hold(session, responder, number)
    if ticket.status == TicketStatus.ANSWERED:
        await _remark(session, responder, ticket, text, services)
    else:
        await _answer(session, responder, ticket, text, services)
    rated = not ticket.is_crisis
    await notices.tell_requester(
        session,
        services,
        ticket,
        "ticket_progress.answered" if rated else "ticket_progress.answered_plain",
        buttons=notices.solved_buttons(ticket.number) if rated else (),
        author=services.unit_name(ticket.unit_code),
        waiting=Waiting.FOLLOW_UP,
        unit=services.unit_name(ticket.unit_code),
        answer=text,
    )
    return ticket


async def _remark(session: AsyncSession, responder: Responder, ticket: Ticket, text: str, services: Services) -> None:
    """One more word after the answer; the status stays."""
    await write(
        session,
        services,
        ticket,
        "remarked",
        at=services.now(),
        visibility=Visibility.PARTIES,
        text=text,
        by=responder,
    )


async def _answer(session: AsyncSession, responder: Responder, ticket: Ticket, text: str, services: Services) -> None:
    await _take_if_waiting(session, responder, ticket, services)
    await _require(session, services, ticket, TicketAction.ANSWER)
    now = services.now()
    ticket.assignee_id = responder.id
    ticket.answered_at = now
    ticket.first_reply_at = ticket.first_reply_at or now
    await write(
        session,
        services,
        ticket,
        "answered",
        at=now,
        visibility=Visibility.PARTIES,
        text=text,
        action=TicketAction.ANSWER,
        by=responder,
    )
    await tickets.stop_timers(session, ticket.id, at=now)


async def ask(session: AsyncSession, responder: Responder, number: str, text: str, services: Services) -> Ticket:
    """Ask the requester something; at most twice a ticket, so that nobody is put off for ever."""
    text = _words(text, "question")
    ticket = await _hold(session, responder, number)
    await _take_if_waiting(session, responder, ticket, services)
    await _require(session, services, ticket, TicketAction.ASK)
    if ticket.asked_times >= MAX_ASKS:
        raise BadInput("error.asked_enough", times=MAX_ASKS)
    ticket.asked_times += 1
    await write(
        session,
        services,
        ticket,
        "asked",
        at=services.now(),
        visibility=Visibility.PARTIES,
        text=text,
        action=TicketAction.ASK,
        by=responder,
    )
    await notices.tell_requester(
        session,
        services,
        ticket,
        "ticket_progress.need_info",
        author=services.unit_name(ticket.unit_code),
        waiting=Waiting.SUPPLY,
        unit=services.unit_name(ticket.unit_code),
        question=text,
    )
    return ticket


async def note(session: AsyncSession, responder: Responder, number: str, text: str, services: Services) -> Ticket:
    """An internal note: seen at the desk, never delivered."""
    text = _words(text, "note")
    ticket = await _hold(session, responder, number)
    await write(
        session, services, ticket, "noted", at=services.now(), visibility=Visibility.INTERNAL, text=text, by=responder
    )
    return ticket


async def transfer(
    session: AsyncSession, responder: Responder, number: str, target: str, reason: str, services: Services
) -> Ticket:
    """Pass the ticket to another unit with a reason that the requester is told. The due time stays.

    Raises BadInput when the target does not exist, is the present unit, or may not take this topic.
    """
    reason = _words(reason, "reason")
    ticket = await _hold(session, responder, number)
    await _require(session, services, ticket, TicketAction.TRANSFER)
    unit = services.tree.get(target)
    row = await by_code(session, target)
    if unit is None or row is None or not row.is_active:
        raise BadInput("error.no_such_unit", unit=target[:40])
    if target == ticket.unit_code:
        raise BadInput("error.same_unit", unit=unit.name)
    mode = services.tree.mode_for(target, ticket.topic)
    takes_restricted = ticket.sensitivity != tickets.RESTRICTED or unit.is_crisis_desk or mode == "handle"
    if mode not in ("handle", "triage") or not takes_restricted:
        _, why_not = services.router.may_handle(target, ticket.topic)
        raise BadInput("error.unit_may_not", unit=unit.name, reason=why_not)
    old_unit = ticket.unit_code
    move(ticket, TicketAction.TRANSFER)
    ticket.unit_code, ticket.assignee_id, ticket.reason = target, None, reason
    await tickets.add_event(
        session,
        ticket,
        "transferred",
        at=services.now(),
        actor="cadre",
        visibility=Visibility.PUBLIC,
        text=reason,
        action=TicketAction.TRANSFER,
        user_id=responder.id,
        unit_code=responder.unit_code,
        data={"from": old_unit, "unit": target},
    )
    session.add(
        RoutingDecision(
            ticket_id=ticket.id,
            cause="transfer",
            rule="transfer",
            rule_version=1,
            unit_code=target,
            reason=reason,
            confidence=1.0,
            inputs={"by": responder.login, "from": old_unit},
            candidates=[],
            at=services.now(),
        )
    )
    if mode == "triage":
        await write(
            session,
            services,
            ticket,
            "to_triage",
            at=services.now(),
            visibility=Visibility.INTERNAL,
            action=TicketAction.TO_TRIAGE,
        )
    tell_desk(session, services, ticket, old_unit)
    await notices.tell_requester(
        session,
        services,
        ticket,
        "ticket_progress.transferred",
        old_unit=services.unit_name(old_unit),
        unit=unit.name,
        reason=reason,
        due=services.moment(ticket.due_at),
    )
    return ticket


async def close(
    session: AsyncSession, responder: Responder, number: str, outcome: str, text: str, services: Services
) -> Ticket:
    """End the ticket with an outcome. Without an earlier answer a public text is needed: it is the answer."""
    if outcome not in CLOSING_OUTCOMES:
        raise BadInput("error.no_such_outcome")
    ticket = await _hold(session, responder, number)
    text = clean_text(text).strip()
    if ticket.status != TicketStatus.ANSWERED:
        await _answer(session, responder, ticket, _words(text, "answer"), services)
    elif text:
        await _remark(session, responder, ticket, _words(text, "answer"), services)
    now = services.now()
    ticket.outcome, ticket.closed_at = outcome, now
    await write(
        session,
        services,
        ticket,
        "closed",
        at=now,
        visibility=Visibility.PUBLIC,
        action=TicketAction.CLOSE,
        by=responder,
        data={"outcome": outcome},
    )
    rated = await may_be_rated(session, ticket)
    await notices.tell_requester(
        session,
        services,
        ticket,
        "ticket_progress.closed_with_answer" if text else "ticket_progress.closed",
        buttons=notices.solved_buttons(ticket.number) if rated else (),
        author=services.unit_name(ticket.unit_code),
        unit=services.unit_name(ticket.unit_code),
        answer=text,
        outcome=services.named(f"outcome.{outcome}"),
        reopen_days=30,
    )
    return ticket


async def opened_by(session: AsyncSession, responder: Responder, ticket: Ticket, services: Services) -> None:
    """Write down who looked at a restricted ticket; once an hour and person is enough."""
    if ticket.sensitivity != tickets.RESTRICTED:
        return
    events = await tickets.events(session, ticket.id)
    now: datetime = services.now()
    recent = (event for event in events if event.kind == "viewed" and event.user_id == responder.id)
    if any((now - event.at).total_seconds() < 3600 for event in recent):
        return
    await tickets.add_event(
        session,
        ticket,
        "viewed",
        at=now,
        actor="cadre",
        visibility=Visibility.INTERNAL,
        user_id=responder.id,
        unit_code=responder.unit_code,
    )


def transfer_targets(services: Services, ticket: Ticket) -> list[tuple[str, str, bool]]:
    """Units that may take this ticket: (code, name, handles itself), best fitting first."""
    found = []
    for unit in services.tree:
        mode = services.tree.mode_for(unit.code, ticket.topic)
        if not unit.is_active or unit.code == ticket.unit_code or mode not in ("handle", "triage"):
            continue
        if ticket.sensitivity == tickets.RESTRICTED and not (unit.is_crisis_desk or mode == "handle"):
            continue
        nearness = services.tree.covers(unit.code, ticket.area_code, ticket.locality)
        found.append((-(nearness if nearness is not None else -1), mode != "handle", unit.code, unit.name))
    found.sort()
    return [(code, name, not sorts) for _, sorts, code, name in found]
