"""Opening a ticket, and what its requester may do with it afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from handlers import notices
from handlers.errors import BadInput, TicketMovedOn
from handlers.privacy import access_code_hash, mask_numbers, new_access_code
from handlers.record import move, tell_desk, write
from handlers.services import Services
from handlers.ticket_form import TicketForm, questions_asked
from routing.areas import Place
from routing.lifecycle import Outcome, TicketAction, TicketStatus, is_open, may
from routing.requests import RoutingRequest, build_request
from routing.rules import Assignment
from routing.sla import citizen72_due
from routing.topics import Topic
from storage import conversations, tickets
from storage import ratings as ratings_store
from storage.models import Conversation, RoutingDecision, Ticket, Timer, Visibility

URGE_EVERY = timedelta(hours=4)
REOPEN_WITHIN = timedelta(days=30)
TITLE_LENGTH = 36
UNCLEAR = "other.unclear"


@dataclass(frozen=True, slots=True, kw_only=True)
class CrisisMark:
    """Set when the lexicon, not the person, opens the ticket."""

    category: str
    assignment_unit: str
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class OpenedTicket:
    ticket: Ticket
    access_code: str
    assignment: Assignment | None
    values: Mapping[str, str] = field(default_factory=dict)


def routing_request(services: Services, form: TicketForm, *, channel: str) -> RoutingRequest:
    """What the rules look at, from a form."""
    place = Place(form.area, form.locality, form.place or "", 0, 0) if form.area else None
    organisation = services.tree.get(form.member_unit) if form.member_unit else None
    request = build_request(
        services.places,
        services.tree,
        topic=form.topic or UNCLEAR,
        text=form.text,
        place=place,
        org=organisation,
        channel=channel,
        margin=form.margin,
        user_choice=form.unit_choice,
        questions_asked=questions_asked(form),
    )
    topic = topic_of(services, request.topic)
    return replace(request, urgency=topic.default_urgency, sensitivity=topic.sensitivity)


def topic_of(services: Services, code: str | None) -> Topic:
    """The topic by code; what is not in the tree (any more) is unclear."""
    topic = services.topics.get(code or UNCLEAR) or services.topics.get(UNCLEAR)
    if topic is None:
        raise RuntimeError(f"the topics lack {UNCLEAR}")
    return topic


def assign(services: Services, request: RoutingRequest, *, due_at: datetime) -> Assignment:
    """Route for good: a rule that would ask once more goes to the desk that sorts cases out."""
    today = services.local(services.now()).date()
    due_text = services.time_text("zh_CN", due_at)
    assignment = services.router.route(request, today=today, due_text=due_text)
    if assignment.unit is None:
        request = replace(request, questions_asked=99)
        assignment = services.router.route(request, today=today, due_text=due_text)
    if assignment.unit is None:
        raise RuntimeError(f"no unit for topic {request.topic}: the tree has no triage desk")
    return assignment


def number_prefix(services: Services, unit_code: str, at: datetime) -> str:
    """Letters of the province (GD, SN, …; QS above the provinces) and the local date, yymmdd."""
    unit = services.tree.get(unit_code)
    area = unit.area_code[:2] if unit is not None else ""
    province = next((one for one in services.tree if one.kind == "province" and one.area_code[:2] == area), None)
    letters = province.code.upper()[:3] if province is not None and province.code.isalpha() else "QS"
    return f"{letters}{services.local(at):%y%m%d}"


async def open_ticket(
    session: AsyncSession,
    services: Services,
    conversation: Conversation,
    form: TicketForm,
    *,
    channel: str,
    at: datetime,
    crisis: CrisisMark | None = None,
) -> OpenedTicket:
    """Create the ticket with its decision, record and clock."""
    due_at = citizen72_due(at)
    request = routing_request(services, form, channel=channel)
    assignment = None if crisis else assign(services, request, due_at=due_at)
    unit_code, reason = _target(assignment, crisis)
    topic = topic_of(services, form.topic)
    number = await tickets.next_number(session, number_prefix(services, unit_code, at))
    code = new_access_code()
    text, _ = mask_numbers(form.text)
    sensitivity = tickets.RESTRICTED if crisis else topic.sensitivity
    ticket = Ticket(
        number=number,
        access_code_hash=access_code_hash(services.secret, number, code),
        person_id=conversation.person_id,
        conversation_id=conversation.id,
        topic=topic.code,
        sensitivity=sensitivity,
        urgency="critical" if crisis else topic.default_urgency,
        title=_title(text),
        text=text,
        area_code=form.area,
        locality=form.locality,
        place=form.place,
        organisation=form.organisation,
        member_unit=form.member_unit,
        is_anonymous=bool(form.is_anonymous),
        contact=None if form.is_anonymous else form.contact,
        is_crisis=crisis is not None,
        crisis_category=crisis.category if crisis else None,
        unit_code=unit_code,
        reason=reason,
        status=TicketStatus.SUBMITTED,
        cycle=1,
        asked_times=0,
        event_count=0,
        opened_at=at,
        due_at=due_at,
        updated_at=at,
    )
    session.add(ticket)
    await session.flush()
    await write(session, services, ticket, "opened", at=at, visibility=Visibility.PARTIES, text=text, by_requester=True)
    is_triage = assignment is not None and services.tree.mode_for(unit_code, topic.code) != "handle"
    await write(
        session,
        services,
        ticket,
        "routed",
        at=at,
        visibility=Visibility.PUBLIC,
        text=reason,
        action=TicketAction.TO_TRIAGE if is_triage else TicketAction.DISPATCH,
        data={"unit": unit_code},
    )
    _store_decision(session, ticket, assignment, cause="opened", rule=crisis.rule if crisis else "", at=at)
    session.add(_citizen_clock(ticket, at, "72 natural hours from opening"))
    return OpenedTicket(ticket, code, assignment)


def _citizen_clock(ticket: Ticket, started_at: datetime, computed: str) -> Timer:
    """The promise to the citizen for the ticket's present cycle."""
    return Timer(
        ticket_id=ticket.id,
        cycle=ticket.cycle,
        kind="citizen72",
        unit_code=ticket.unit_code,
        policy="citizen72@1",
        computed=computed,
        started_at=started_at,
        due_at=ticket.due_at,
    )


def _target(assignment: Assignment | None, crisis: CrisisMark | None) -> tuple[str, str]:
    if crisis is not None:
        return crisis.assignment_unit, crisis.reason
    if assignment is None or assignment.unit is None:
        raise RuntimeError("a ticket needs a unit")
    return assignment.unit, assignment.reason


def _title(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= TITLE_LENGTH else f"{line[:TITLE_LENGTH]}…"


def _store_decision(
    session: AsyncSession, ticket: Ticket, assignment: Assignment | None, *, cause: str, rule: str = "", at: datetime
) -> None:
    details = assignment.to_json() if assignment else {}
    session.add(
        RoutingDecision(
            ticket_id=ticket.id,
            cause=cause,
            rule=assignment.rule if assignment else rule,
            rule_version=assignment.rule_version if assignment else 1,
            unit_code=ticket.unit_code,
            reason=ticket.reason,
            confidence=assignment.confidence if assignment else 1.0,
            inputs=details.get("inputs", {}),
            candidates=details.get("candidates", []),
            at=at,
        )
    )


async def add_text(session: AsyncSession, services: Services, ticket: Ticket, text: str, *, at: datetime) -> None:
    """The requester adds to an open ticket; when the unit had asked something, this answers it."""
    if not is_open(TicketStatus(ticket.status)):
        raise TicketMovedOn("error.ticket_finished", ticket_no=ticket.number)
    masked, _ = mask_numbers(text)
    answers = ticket.status == TicketStatus.NEED_INFO
    await write(
        session,
        services,
        ticket,
        "supplied" if answers else "added",
        at=at,
        visibility=Visibility.PARTIES,
        text=masked,
        action=TicketAction.SUPPLY if answers else None,
        by_requester=True,
    )


async def _record_words(session: AsyncSession, services: Services, ticket: Ticket, text: str, *, at: datetime) -> None:
    """What the requester said along with an act, on the ticket's record."""
    masked, _ = mask_numbers(text)
    await write(
        session, services, ticket, "added", at=at, visibility=Visibility.PARTIES, text=masked, by_requester=True
    )


async def urge(session: AsyncSession, services: Services, ticket: Ticket, *, at: datetime) -> None:
    """Remind the unit. Raises TicketMovedOn when finished, BadInput when urged less than four hours ago."""
    if ticket.status not in tickets.OPEN_STATUSES:
        raise TicketMovedOn("error.ticket_not_waiting", ticket_no=ticket.number)
    if ticket.urged_at is not None and at - ticket.urged_at < URGE_EVERY:
        raise BadInput("ticket_change.urge_limit", retry_at=services.moment(ticket.urged_at + URGE_EVERY))
    ticket.urged_at = at
    await write(session, services, ticket, "urged", at=at, visibility=Visibility.PUBLIC, by_requester=True)


async def withdraw(session: AsyncSession, services: Services, ticket: Ticket, *, at: datetime) -> None:
    await write(
        session,
        services,
        ticket,
        "withdrawn",
        at=at,
        visibility=Visibility.PUBLIC,
        action=TicketAction.WITHDRAW,
        by_requester=True,
    )
    ticket.outcome, ticket.closed_at = Outcome.WITHDRAWN, at
    await tickets.stop_timers(session, ticket.id, at=at)


async def reopen(session: AsyncSession, services: Services, ticket: Ticket, text: str, *, at: datetime) -> None:
    """Not solved: back to work in a new cycle with a new 72 hours. Raises TicketMovedOn later than 30 days."""
    if ticket.status == TicketStatus.CLOSED:
        if ticket.closed_at is not None and at - ticket.closed_at > REOPEN_WITHIN:
            raise TicketMovedOn("ticket_change.reopen_late", ticket_no=ticket.number, reopen_days=REOPEN_WITHIN.days)
        action = TicketAction.REOPEN
    elif may(TicketStatus(ticket.status), TicketAction.NOT_SOLVED):
        action = TicketAction.NOT_SOLVED
    else:
        raise TicketMovedOn("error.ticket_still_open", ticket_no=ticket.number)
    await write(
        session,
        services,
        ticket,
        "reopened",
        at=at,
        visibility=Visibility.PUBLIC,
        text="",
        action=action,
        by_requester=True,
        data={"cycle": ticket.cycle + 1},
    )
    if text:
        await _record_words(session, services, ticket, text, at=at)
    ticket.cycle += 1
    ticket.outcome = ticket.closed_at = ticket.answered_at = ticket.first_reply_at = ticket.breached_at = None
    ticket.due_at = citizen72_due(at)
    session.add(_citizen_clock(ticket, at, "72 natural hours from reopening"))


def require_movable(ticket: Ticket) -> None:
    """Raises TicketMovedOn when the requester cannot choose another unit (any more)."""
    if not may(TicketStatus(ticket.status), TicketAction.CHANGE_UNIT) or ticket.is_crisis:
        raise TicketMovedOn("error.ticket_unit_fixed", ticket_no=ticket.number)


async def change_unit(
    session: AsyncSession,
    services: Services,
    ticket: Ticket,
    wanted: str | None,
    text: str,
    *,
    at: datetime,
) -> tuple[str, str]:
    """“换部门”: to the unit the requester names if it may handle this, else to the desk that sorts cases out.

    Returns the new unit's code and the reason. The due time stays. Raises TicketMovedOn when it is answered already
    and BadInput, with why not, when the named unit may not handle the topic.
    """
    require_movable(ticket)
    form = form_of(ticket)
    request = routing_request(services, replace(form, unit_choice=wanted), channel="change")
    if wanted is not None and _only_sorts(services, wanted, ticket.topic):
        wanted = None
    if wanted is not None:
        allowed, why_not = services.router.may_handle(wanted, ticket.topic)
        if not allowed:
            raise BadInput("ticket_change.unit_refuses", unit=services.unit_name(wanted), reason=why_not)
        assignment = assign(services, request, due_at=ticket.due_at)
    else:
        # Nobody named: the sorting desk decides, with what the requester said.
        assignment = assign(
            services, replace(request, topic=UNCLEAR, questions_asked=99, margin=0.0), due_at=ticket.due_at
        )
    target = wanted or assignment.unit
    if target is None or target == ticket.unit_code:
        raise BadInput("ticket_change.already_there", unit=services.unit_name(ticket.unit_code))
    old_unit = ticket.unit_code
    is_handler = services.tree.mode_for(target, ticket.topic) == "handle"
    if text:
        await _record_words(session, services, ticket, text, at=at)
    ticket.unit_code, ticket.assignee_id, ticket.reason = target, None, assignment.reason
    _store_decision(session, ticket, assignment, cause="change_unit", at=at)
    move(ticket, TicketAction.CHANGE_UNIT)
    event_data = {"from": old_unit, "unit": target}
    await tickets.add_event(
        session,
        ticket,
        "unit_changed",
        at=at,
        actor="requester",
        visibility=Visibility.PUBLIC,
        text=assignment.reason,
        action=TicketAction.CHANGE_UNIT,
        data=event_data,
    )
    if not is_handler:
        await write(
            session, services, ticket, "to_triage", at=at, visibility=Visibility.INTERNAL, action=TicketAction.TO_TRIAGE
        )
    tell_desk(session, services, ticket, old_unit)
    return target, assignment.reason


def _only_sorts(services: Services, unit_code: str, topic: str) -> bool:
    """A sorting desk that is asked for by name: the same as leaving it to the desk."""
    unit = services.tree.get(unit_code)
    return unit is not None and unit.is_triage_desk and services.tree.mode_for(unit_code, topic) != "handle"


def form_of(ticket: Ticket) -> TicketForm:
    """The routing inputs of an existing ticket."""
    return TicketForm(
        text=ticket.text,
        topic=ticket.topic,
        area=ticket.area_code,
        locality=ticket.locality,
        place=ticket.place,
        organisation=ticket.organisation,
        member_unit=ticket.member_unit,
        is_topic_settled=True,
        is_place_settled=True,
    )


async def mark_overdue(session: AsyncSession, services: Services, ticket_id: int) -> bool:
    """Write down that a ticket's clock ran out: once, for ever. False when somebody else did, or it was stopped."""
    now = services.now()
    seen = await tickets.by_id(session, ticket_id)
    await conversations.lock(session, seen.conversation_id)
    ticket = await tickets.by_id(session, ticket_id, for_update=True)
    timer = await tickets.overdue_timer(session, ticket_id, now=now)
    if timer is None:
        return False
    timer.breached_at = ticket.breached_at = timer.due_at
    await write(session, services, ticket, "overdue", at=now, visibility=Visibility.PUBLIC)
    await notices.tell_requester(
        session, services, ticket, "ticket_progress.overdue", unit=services.unit_name(ticket.unit_code)
    )
    return True


async def may_be_rated(session: AsyncSession, ticket: Ticket) -> bool:
    """Not asked for crisis, withdrawn, merged and duplicate tickets, nor before there is an answer."""
    if ticket.is_crisis or ticket.outcome == Outcome.DUPLICATE_OF:
        return False
    if ticket.status not in (TicketStatus.ANSWERED, TicketStatus.CLOSED):
        return False
    return (
        ticket.first_reply_at is not None or await ratings_store.current(session, ticket.id, ticket.cycle) is not None
    )
