"""Crisis first: words of danger get the hotline at once and reach the people on duty, before any classifier."""

from __future__ import annotations

from datetime import datetime, timedelta

from handlers.state import ConversationState
from handlers.ticket_form import TicketForm
from handlers.tickets import CrisisMark, add_text, open_ticket
from handlers.turn import Turn
from nlu.urgency import CrisisMatch
from routing.requests import build_request
from routing.rules import CrisisDecision
from storage import tickets
from storage.models import Ticket

COMFORTING = ("crisis.noted", "crisis.noted_2", "crisis.noted_3")
SAME_CASE = timedelta(hours=24)


def _decide(turn: Turn, match: CrisisMatch) -> CrisisDecision | None:
    services = turn.services
    form = turn.state.form
    place = services.places.find_place(turn.text) or services.places.find_place(form.text if form else "")
    request = build_request(
        services.places,
        services.tree,
        topic="mind.crisis",
        text=turn.text,
        place=place,
        channel=turn.inbound.channel,
    )
    today = services.local(turn.now).date()
    return services.router.crisis_action(match.categories, request, today=today)


async def respond_to_acute(turn: Turn, match: CrisisMatch) -> None:
    """Hotline text at once; a restricted ticket at the crisis desk, or one more message in the one that is open."""
    decision = _decide(turn, match)
    if turn.locale == "en" or turn.text.isascii():
        turn.say("crisis.hotline_en", is_essential=True)
    turn.say_text(turn.services.lexicon.hotline_text(match.top_category), is_essential=True)
    if decision is None:
        return
    if decision.topic is not None:
        await _reach_desk(turn, match.top_category, decision.topic, decision, text=turn.text)
    elif decision.actions.get("open_ticket") == "ask":
        turn.offer_on_last(turn.button("button.crisis_call", "/crisis"))


async def _reach_desk(turn: Turn, category: str, topic: str, decision: CrisisDecision, *, text: str) -> None:
    state = turn.state
    running = await tickets.newest_crisis(turn.session, turn.person_id, since=turn.now - SAME_CASE)
    form, state.form = state.form, None
    state.expect(None)
    if running is not None:
        await add_text(turn.session, turn.services, running, text, at=turn.now)
        turn.say("crisis.added", is_essential=True, ticket_no=running.number)
        _follow(state, running, turn.now)
        return
    earlier = form.text if form is not None else ""
    place = turn.services.places.find_place(text) or turn.services.places.find_place(earlier)
    opened = await open_ticket(
        turn.session,
        turn.services,
        turn.conversation,
        TicketForm(
            text=f"{earlier}\n{text}" if earlier else text,
            topic=topic,
            area=place.area_code if place else None,
            locality=place.locality if place else None,
            place=place.name if place else None,
            is_anonymous=False,
        ),
        channel=turn.inbound.channel,
        at=turn.now,
        crisis=CrisisMark(category=category, assignment_unit=decision.unit, rule=decision.rule, reason=decision.reason),
    )
    _follow(state, opened.ticket, turn.now)
    turn.say(
        "crisis.opened",
        is_essential=True,
        ticket_id=opened.ticket.id,
        ticket_no=opened.ticket.number,
        query_code=opened.access_code,
        unit=turn.services.unit_name(opened.ticket.unit_code),
    )


def _follow(state: ConversationState, ticket: Ticket, now: datetime) -> None:
    state.crisis_number, state.crisis_until = ticket.number, (now + SAME_CASE).isoformat()


def add_care(turn: Turn, match: CrisisMatch) -> None:
    """A worrying word that is not acute: the hotline and a person are offered beside the normal answer."""
    decision = _decide(turn, match)
    if decision is None:
        return
    turn.state.last_text = turn.text
    # A rule that opens a ticket says that somebody will come; nothing is opened before the person accepts.
    text = decision.reason if decision.topic is None else turn.services.lexicon.hotline_text(decision.category)
    turn.say_text(text, buttons=[turn.button("button.crisis_call", "/crisis")], is_essential=True)


async def call_person(turn: Turn) -> None:
    """The person accepted the offer: same ticket as for acute words."""
    services = turn.services
    text = turn.state.last_text or turn.text
    match = services.lexicon.scan(text)
    category = match.top_category if match is not None else "self_harm"
    request = build_request(
        services.places, services.tree, topic="mind.crisis", text=text, channel=turn.inbound.channel
    )
    today = services.local(turn.now).date()
    decision = services.router.crisis_action({category: "high"}, request, today=today)
    if decision is None:
        return
    await _reach_desk(turn, category, decision.topic or "mind.crisis", decision, text=text)


async def keep_for_desk(turn: Turn) -> bool:
    """While a crisis case runs, everything the person writes reaches its desk too. True when it did."""
    state = turn.state
    if not state.crisis_number or not state.crisis_until:
        return False
    if datetime.fromisoformat(state.crisis_until) < turn.now:
        state.crisis_number = state.crisis_until = None
        return False
    running = await tickets.newest_crisis(turn.session, turn.person_id, since=turn.now - SAME_CASE)
    if running is None:
        state.crisis_number = state.crisis_until = None
        return False
    await add_text(turn.session, turn.services, running, turn.text, at=turn.now)
    place = turn.services.places.find_place(turn.text, is_answer=True)
    if place is not None and running.area_code is None:
        running.area_code, running.locality = place.area_code, place.locality
        running.place = turn.services.places.area_names.name(place.area_code, place.locality) or place.name
    return True


def comfort(turn: Turn) -> None:
    """What is said while people on duty take over: not the same sentence again and again."""
    round_ = turn.conversation.next_seq % len(COMFORTING)
    turn.say(COMFORTING[round_], is_essential=True)
