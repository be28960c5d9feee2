"""What the desk shows of one ticket: words, reasons, clock, record and the acts that its status allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from console.clocks import Clock, Words, clock_of
from handlers import cadre
from handlers.access import Responder
from handlers.services import Services
from routing.lifecycle import Outcome, TicketAction, TicketStatus, may, next_status
from routing.sla import CITIZEN_LIMIT, first_reply_target
from storage import conversations, outbox, ratings, tickets, users
from storage.models import OutboxMessage, Rating, RoutingDecision, Ticket, TicketEvent, Timer, Visibility

PREVIEW = 700
"""Characters of a long text that are shown before “show all”."""

SHOWN_EVENTS = 300

STATUS_BADGES: Mapping[str, str] = {
    "submitted": "info",
    "triage": "warn",
    "dispatched": "warn",
    "accepted": "info",
    "working": "info",
    "need_info": "warn",
    "return_requested": "warn",
    "answered": "ok",
    "closed": "plain",
    "merged": "plain",
    "withdrawn": "plain",
}
_THREAD = {
    "opened": "person",
    "added": "person",
    "supplied": "person",
    "answered": "answer",
    "asked": "question",
    "remarked": "answer",
    "noted": "note",
    "transferred": "moved",
    "unit_changed": "moved",
}


@dataclass(frozen=True, slots=True)
class Folded:
    """A text in two parts: what is always shown and what unfolds."""

    start: str
    rest: str
    length: int


@dataclass(frozen=True, slots=True)
class Said:
    """One entry of the thread. ``side``: person, answer, question, note or moved."""

    seq: int
    side: str
    author: str
    text: Folded
    at: datetime
    sentence: str


@dataclass(frozen=True, slots=True)
class Recorded:
    seq: int
    sentence: str
    actor: str
    at: datetime
    is_internal: bool
    tone: str


@dataclass(frozen=True, slots=True)
class Acts:
    """Which acts the lifecycle table allows now; all false for who may only look."""

    take: bool = False
    answer: bool = False
    ask: bool = False
    note: bool = False
    transfer: bool = False
    close: bool = False
    close_needs_text: bool = False

    @property
    def any(self) -> bool:
        return self.take or self.answer or self.ask or self.note or self.transfer or self.close


@dataclass(frozen=True, slots=True)
class TicketShown:
    ticket: Ticket
    topic: str
    unit: str
    assignee: str
    member_unit: str
    channel: str
    clock: Clock
    status_badge: str
    thread: tuple[Said, ...]
    timeline: tuple[Recorded, ...]
    left_out: int
    decisions: tuple[RoutingDecision, ...]
    timers: tuple[Timer, ...]
    ratings: tuple[Rating, ...]
    undeliverable: tuple[OutboxMessage, ...]
    acts: Acts
    targets: tuple[tuple[str, str, bool], ...]
    shows_contact: bool
    stamp: str
    first_target: datetime | None
    """The unit's own target for the first reply where it is earlier than the citizen's 72 hours."""


def folded(text: str) -> Folded:
    if len(text) <= PREVIEW + PREVIEW // 3:
        return Folded(text, "", len(text))
    return Folded(text[:PREVIEW], text[PREVIEW:], len(text))


def acts_for(responder: Responder, ticket: Ticket) -> Acts:
    if responder.is_admin:
        return Acts()
    status = TicketStatus(ticket.status)
    take = may(status, TicketAction.TAKE)
    # Answering and asking take the ticket first when nobody has (handlers/cadre.py).
    held = next_status(status, TicketAction.TAKE) if take else status
    answer = may(held, TicketAction.ANSWER)
    is_answered = may(status, TicketAction.CLOSE)
    return Acts(
        take=take,
        answer=answer or is_answered,
        ask=may(held, TicketAction.ASK) and ticket.asked_times < cadre.MAX_ASKS,
        note=True,
        transfer=may(status, TicketAction.TRANSFER),
        close=is_answered or answer,
        close_needs_text=not is_answered,
    )


def stamp_of(ticket: Ticket) -> str:
    """Changes whenever the ticket page would look different."""
    return f"{ticket.event_count}.{int(ticket.updated_at.timestamp() * 1000)}"


def event_sentence(services: Services, event: TicketEvent, t: Words, locale: str) -> str:
    """What happened, as one sentence; an event nobody wrote a sentence for is named by its kind."""
    data: Mapping[str, Any] = event.data
    key = f"event.{event.kind}"
    known = services.wording.keys()
    outcome = f"outcome.{data.get('outcome')}"
    return t(
        key if key in known else "event.other",
        kind=event.kind,
        unit=services.unit_name(data.get("unit") or event.unit_code) or t("ui_desk.nobody"),
        old_unit=services.unit_name(data.get("from")) or t("ui_desk.nobody"),
        outcome=services.text(locale, outcome) if outcome in known else "",
        cycle=data.get("cycle", ""),
        solved=t(f"ui_desk.solved_{data['solved']}") if data.get("solved") in ("yes", "partly", "no") else "",
    )


async def ticket_shown(
    session: AsyncSession, services: Services, responder: Responder, ticket: Ticket, *, t: Words, locale: str
) -> TicketShown:
    all_events = await tickets.events(session, ticket.id)
    # The first words are always shown, of the rest the newest.
    events = all_events if len(all_events) <= SHOWN_EVENTS else [*all_events[:2], *all_events[2 - SHOWN_EVENTS :]]
    names = await users.names(session, _user_ids(ticket, events))
    acts = acts_for(responder, ticket)
    target = first_reply_target(ticket.due_at - CITIZEN_LIMIT, ticket.urgency)
    return TicketShown(
        ticket=ticket,
        topic=services.topics.name(ticket.topic, locale) or ticket.topic,
        unit=services.unit_name(ticket.unit_code),
        assignee=names.get(ticket.assignee_id, "") if ticket.assignee_id else "",
        member_unit=services.unit_name(ticket.member_unit),
        channel=await conversations.channel_of(session, ticket.conversation_id),
        clock=clock_of(ticket, services.now(), t),
        status_badge=STATUS_BADGES.get(ticket.status, "plain"),
        thread=_thread(services, events, names, t=t, locale=locale),
        timeline=_timeline(services, events, names, t=t, locale=locale),
        left_out=len(all_events) - len(events),
        decisions=tuple(await tickets.decisions(session, ticket.id)),
        timers=tuple(await tickets.timers(session, ticket.id)),
        ratings=tuple(await ratings.of_ticket(session, ticket.id)),
        undeliverable=tuple(await outbox.undeliverable(session, ticket.id)),
        acts=acts,
        targets=tuple(cadre.transfer_targets(services, ticket)) if acts.transfer else (),
        # An admin looks after the service; whose telephone number this is, is the unit's business.
        shows_contact=not responder.is_admin and not ticket.is_anonymous,
        stamp=stamp_of(ticket),
        first_target=target if target < ticket.due_at else None,
    )


def _user_ids(ticket: Ticket, events: Sequence[TicketEvent]) -> set[int]:
    ids = {event.user_id for event in events} | {ticket.assignee_id}
    return {user_id for user_id in ids if user_id is not None}


def _actor(
    services: Services, event: TicketEvent, names: Mapping[int, str], t: Words, *, with_unit: bool = True
) -> str:
    if event.actor == "cadre":
        name = names.get(event.user_id, "") if event.user_id else ""
        unit = services.unit_name(event.unit_code) if with_unit or not name else ""
        return f"{unit} · {name}" if unit and name else name or unit or t("ui_desk.actor_cadre")
    return t("ui_desk.actor_requester" if event.actor == "requester" else "ui_desk.actor_system")


def _thread(
    services: Services, events: Sequence[TicketEvent], names: Mapping[int, str], *, t: Words, locale: str
) -> tuple[Said, ...]:
    return tuple(
        Said(
            event.seq,
            _THREAD[event.kind],
            _actor(services, event, names, t),
            folded(event.text),
            event.at,
            event_sentence(services, event, t, locale),
        )
        for event in events
        if event.kind in _THREAD and (event.text or _THREAD[event.kind] == "moved")
    )


def _timeline(
    services: Services, events: Sequence[TicketEvent], names: Mapping[int, str], *, t: Words, locale: str
) -> tuple[Recorded, ...]:
    tones = {"answered": "ok", "solved": "ok", "closed": "ok", "overdue": "late", "crisis_noted": "late"}
    return tuple(
        Recorded(
            event.seq,
            event_sentence(services, event, t, locale),
            _actor(services, event, names, t, with_unit=event.kind in ("noted", "viewed", "transferred")),
            event.at,
            event.visibility == Visibility.INTERNAL,
            tones.get(event.kind, ""),
        )
        for event in reversed(events)
    )


OUTCOMES: tuple[Outcome, ...] = cadre.CLOSING_OUTCOMES
