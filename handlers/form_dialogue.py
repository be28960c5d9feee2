"""Talking somebody through the ticket form: ask, read the answer, go back, side questions, summary, submit."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from handlers import answers, words
from handlers.privacy import mask_numbers
from handlers.progress import topic_name
from handlers.ticket_form import Step, TicketForm, advance, back
from handlers.tickets import UNCLEAR, OpenedTicket, assign, open_ticket, routing_request
from handlers.turn import Button, Turn
from nlu.engine import Utterance
from routing.org_units import MEMBER_KINDS
from routing.sla import citizen72_due
from storage import tickets

TOPIC_FLOOR = 0.30
TOPIC_MARGIN = 0.15
"""Rule R90 of the dispatch catalogue: a lead below .15 is a question, not a decision."""
LONE_FLOOR, LONE_LEAD = 0.15, 3.0
"""An unusual case has a low confidence but no rival: the summary shows the topic, so a wrong one is seen."""
MIN_TEXT = 4
DESCRIPTION_LENGTH = 10
"""Characters from which a question asked before counts as a description by itself."""
LAST_SHOWN = 16
STORY_LENGTH = 12
"""An answer to "where?" that is this long tells more than a place: it is kept in the description too."""
MAX_CONTACT = 120
SUMMARY_LENGTH = 120
SHORT_QUESTION = 25
REPEAT_WITHIN = timedelta(hours=24)


async def start(
    turn: Turn,
    text: str = "",
    *,
    topic: str | None = None,
    is_topic_fixed: bool = False,
    ask_key: str = "ticket_open.ask_text",
) -> None:
    """Begin a form; with a description, if there is one that is long enough to work with."""
    # A complaint about the service happened in this chat: there is no place to ask for.
    is_here = is_topic_fixed and (topic or "").startswith("platform.")
    form = TicketForm(topic=topic, is_topic_fixed=is_topic_fixed, is_place_settled=is_here)
    turn.state.expect(None)
    if len(words.plain(text)) >= DESCRIPTION_LENGTH:
        form = await _with_text(turn, form, text)
    elif not is_topic_fixed:
        form = TicketForm()
    turn.state.form = advance(form)
    prompt(turn, ask_key=ask_key)


async def _with_text(turn: Turn, form: TicketForm, text: str) -> TicketForm:
    """Take in a description: what it is about, where, which school or employer."""
    services = turn.services
    masked, has_masked = mask_numbers(text)
    whole = f"{form.text}\n{masked}" if form.text else masked
    form = replace(form, text=whole, has_masked=form.has_masked or has_masked)
    if not form.is_place_settled:
        form = _with_place(turn, form, whole, is_answer=False)
    if form.is_topic_settled:
        return form
    if form.is_topic_fixed and form.topic:
        return replace(form, is_topic_settled=True)
    result = await services.topic_engine.parse(Utterance(whole))
    ranking = [ranked for ranked in result.ranking if ranked.name in services.topics]
    if form.topic is not None:
        # The answer that did not help says what it is about.
        return replace(form, is_topic_settled=True)
    if not ranking:
        return replace(form, topic=UNCLEAR, is_topic_settled=True, margin=0.0)
    second = ranking[1].confidence if len(ranking) > 1 else 0.0
    margin = ranking[0].confidence - second
    is_sure = ranking[0].confidence >= TOPIC_FLOOR and margin >= TOPIC_MARGIN
    stands_alone = ranking[0].confidence >= LONE_FLOOR and ranking[0].confidence >= LONE_LEAD * second
    if is_sure or stands_alone:
        return replace(form, topic=ranking[0].name, is_topic_settled=True, margin=1.0)
    choices = tuple(ranked.name for ranked in ranking[:3] if ranked.name != UNCLEAR)
    return replace(form, topic=ranking[0].name, topic_choices=choices, margin=margin)


def _with_place(turn: Turn, form: TicketForm, text: str, *, is_answer: bool) -> TicketForm:
    places = turn.services.places
    place, organisation = places.find_place(text, is_answer=is_answer), places.find_org(text)
    member = organisation if organisation is not None and organisation.kind in MEMBER_KINDS else None
    phrase = member.name if member is not None else places.org_phrase(text)
    if place is None and organisation is not None:
        place = places.place_of(organisation)
    form = replace(
        form, organisation=phrase or form.organisation, member_unit=member.code if member else form.member_unit
    )
    if place is None:
        elsewhere = places.elsewhere(text)
        return replace(form, place=elsewhere, is_place_settled=True) if elsewhere else form
    name = places.area_names.name(place.area_code, place.locality) or place.name
    return replace(form, area=place.area_code, locality=place.locality, place=name, is_place_settled=True)


def _common_buttons(turn: Turn, form: TicketForm) -> list[Button]:
    buttons = [turn.button("button.back", "/form:back")] if len(form.asked) > 1 else []
    return [*buttons, turn.button("button.cancel", "/form:cancel")]


def prompt(turn: Turn, *, ask_key: str = "ticket_open.ask_text") -> None:
    """Ask the question that the form stands at; ``ask_key`` words the first one."""
    form = turn.state.form
    if form is None:
        return
    common = _common_buttons(turn, form)
    match form.step:
        case Step.TEXT:
            turn.say(ask_key, buttons=[*_last_button(turn, form), *common])
        case Step.TOPIC:
            choices = [
                {"title": turn.services.topics.name(code, turn.locale), "payload": f"/form:topic:{code}"}
                for code in form.topic_choices
            ]
            other = turn.button("button.none_of_these", f"/form:topic:{UNCLEAR}")
            turn.say("ticket_open.ask_topic", buttons=[*choices, other, *common])
        case Step.PLACE:
            key = "ticket_open.ask_area_of" if form.organisation else "ticket_open.ask_area"
            skip = turn.button("button.skip", "/form:skip")
            turn.say(key, buttons=[skip, *common], org=form.organisation or "")
        case Step.ANONYMOUS:
            choices = [turn.button("button.anonymous", "/form:anonymous"), turn.button("button.named", "/form:named")]
            turn.say("ticket_open.ask_anonymous", buttons=[*choices, *common])
        case Step.CONTACT:
            turn.say("ticket_open.ask_contact", buttons=[turn.button("button.no_contact", "/form:skip"), *common])
        case Step.CONFIRM:
            _summary(turn, form, common)


def _last_button(turn: Turn, form: TicketForm) -> list[Button]:
    """Nobody explains twice: the question just asked can become the description."""
    last = " ".join(turn.state.last_text.split())
    if form.text or len(words.plain(last)) < MIN_TEXT:
        return []
    shown = last if len(last) <= LAST_SHOWN else f"{last[:LAST_SHOWN]}…"
    return [turn.button("button.use_last", "/form:last", text=shown)]


def _summary(turn: Turn, form: TicketForm, common: list[Button]) -> None:
    services = turn.services
    assignment = assign(
        services,
        routing_request(services, form, channel=turn.inbound.channel),
        due_at=citizen72_due(turn.now),
    )
    if form.place and not form.area:
        turn.say("ticket_open.elsewhere", area=form.place)
    if form.has_masked:
        turn.say("ticket_open.sensitive_data")
    text = " ".join(form.text.split())
    anonymity = "form_value.anonymous" if form.is_anonymous else "form_value.named"
    turn.say(
        "ticket_open.confirm",
        buttons=[turn.button("button.confirm", "/form:confirm"), *common],
        topic=services.topics.name(form.topic or UNCLEAR, turn.locale),
        text=text if len(text) <= SUMMARY_LENGTH else f"{text[:SUMMARY_LENGTH]}…",
        area=form.place or turn.words("form_value.unknown"),
        org=form.organisation or turn.words("form_value.unknown"),
        anonymity=turn.words(anonymity),
        contact=form.contact or turn.words("form_value.none"),
        unit=services.unit_name(assignment.unit),
    )


async def press(turn: Turn, form: TicketForm, choice: str, argument: str) -> None:
    """A button of the form."""
    match choice:
        case "cancel":
            turn.state.form = None
            turn.say("form.cancelled")
            return
        case "back":
            turn.state.form = back(form)
        case "last" if form.step is Step.TEXT and turn.state.last_text:
            form = replace(form, topic=form.topic or turn.state.last_topic)
            turn.state.form = advance(await _with_text(turn, form, turn.state.last_text))
        case "topic" if argument in turn.services.topics:
            turn.state.form = advance(replace(form, topic=argument, is_topic_settled=True))
        case "skip" if form.step is Step.PLACE:
            turn.state.form = advance(replace(form, is_place_settled=True))
        case "skip" if form.step is Step.CONTACT:
            turn.state.form = advance(replace(form, is_contact_settled=True))
        case "anonymous" | "named" if form.step is Step.ANONYMOUS:
            turn.state.form = advance(replace(form, is_anonymous=choice == "anonymous"))
        case "confirm" if form.step is Step.CONFIRM:
            await submit(turn, form)
            return
        case "again" if form.step is Step.CONFIRM:
            await submit(turn, form, is_repeat_wanted=True)
            return
        case _:
            turn.say("form.old_button")
    prompt(turn)


async def read_answer(turn: Turn, form: TicketForm) -> None:
    """Free text while the form runs: the answer, a way back, more details, or a question in between."""
    text = turn.text
    if words.is_back(text) and form.step is not Step.TEXT:
        turn.state.form = back(form)
        prompt(turn)
        return
    reader = {
        Step.TEXT: _read_text,
        Step.TOPIC: _read_topic,
        Step.PLACE: _read_place,
        Step.ANONYMOUS: _read_anonymous,
        Step.CONTACT: _read_contact,
        Step.CONFIRM: _read_confirm,
    }[form.step]
    await reader(turn, form, text)


async def _answered_in_between(turn: Turn) -> bool:
    """A question about something else gets its answer; the form then goes on where it was."""
    if not await answers.give_in_between(turn):
        return False
    turn.say("form.back_to")
    prompt(turn)
    return True


async def _read_text(turn: Turn, form: TicketForm, text: str) -> None:
    if len(text) <= SHORT_QUESTION and not form.is_topic_fixed:
        # Should it have been the description after all, one button makes it that.
        turn.state.last_text, turn.state.last_topic = turn.text, None
        if await _answered_in_between(turn):
            return
    if len(words.plain(text)) < MIN_TEXT:
        turn.say("ticket_open.too_short", buttons=_common_buttons(turn, form))
        return
    turn.state.form = advance(await _with_text(turn, form, text))
    prompt(turn)


async def _read_topic(turn: Turn, form: TicketForm, text: str) -> None:
    if await _answered_in_between(turn):
        return
    if words.is_skip(text) or words.is_no(text) or words.plain(text).startswith("都不"):
        turn.state.form = advance(replace(form, topic=UNCLEAR, is_topic_settled=True))
    else:
        # More words say more than a choice; if that does not settle it, the sorting desk will.
        form = await _with_text(turn, replace(form, topic=None), text)
        turn.state.form = advance(
            form if form.is_topic_settled else replace(form, is_topic_settled=True, topic=UNCLEAR)
        )
    prompt(turn)


async def _read_place(turn: Turn, form: TicketForm, text: str) -> None:
    found = _with_place(turn, form, text, is_answer=True)
    if not found.is_place_settled:
        if await _answered_in_between(turn):
            return
        choice = words.anonymity(text)
        is_place = not words.is_skip(text) and choice is None and not words.is_yes(text) and not words.is_no(text)
        if not words.is_skip(text) and (not is_place or not (form.was_place_unknown or found.organisation)):
            # Asked once more, then taken as it is: the sorting desk can read what we cannot.
            turn.state.form = replace(form, was_place_unknown=True, is_anonymous=choice)
            turn.say("form.place_unknown")
            prompt(turn)
            return
        found = replace(found, is_place_settled=True, place=" ".join(text.split())[:80] if is_place else None)
    if len(words.plain(text)) >= STORY_LENGTH:
        found = replace(found, text=f"{found.text}\n{mask_numbers(text)[0]}")
    turn.state.form = advance(found)
    prompt(turn)


async def _read_anonymous(turn: Turn, form: TicketForm, text: str) -> None:
    choice = words.anonymity(text)
    if choice is not None:
        turn.state.form = advance(replace(form, is_anonymous=choice))
        prompt(turn)
    elif not await _answered_in_between(turn):
        await _take_as_details(turn, form, text)


async def _read_contact(turn: Turn, form: TicketForm, text: str) -> None:
    if words.is_skip(text):
        turn.state.form = advance(replace(form, is_contact_settled=True))
        prompt(turn)
    elif words.is_contact(text):
        contact = " ".join(text.split())[:MAX_CONTACT]
        turn.state.form = advance(replace(form, contact=contact, is_contact_settled=True))
        prompt(turn)
    elif not await _answered_in_between(turn):
        await _take_as_details(turn, form, text)


async def _read_confirm(turn: Turn, form: TicketForm, text: str) -> None:
    if words.is_yes(text):
        await submit(turn, form)
    elif words.is_no(text):
        turn.state.form = back(form)
        prompt(turn)
    elif not await _answered_in_between(turn):
        await _take_as_details(turn, form, text)


async def _take_as_details(turn: Turn, form: TicketForm, text: str) -> None:
    """What answers no question still belongs to the case: nothing that was said is lost."""
    if len(words.plain(text)) < MIN_TEXT:
        turn.say("form.not_understood")
    else:
        turn.state.form = await _with_text(turn, form, text)
        turn.say("form.added_to_text")
    prompt(turn)


async def submit(turn: Turn, form: TicketForm, *, is_repeat_wanted: bool = False) -> None:
    """Open the ticket, or point to the open one with the same words."""
    if not is_repeat_wanted:
        for earlier in await tickets.of_person(turn.session, turn.person_id):
            is_same = words.plain(earlier.text) == words.plain(form.text)
            if is_same and earlier.status in tickets.OPEN_STATUSES and turn.now - earlier.opened_at < REPEAT_WITHIN:
                turn.say(
                    "ticket_open.duplicate",
                    buttons=[
                        turn.button("button.progress", f"/progress:{earlier.number}"),
                        turn.button("button.open_anyway", "/form:again"),
                        turn.button("button.cancel", "/form:cancel"),
                    ],
                    ticket_no=earlier.number,
                )
                return
    opened = await open_ticket(
        turn.session, turn.services, turn.conversation, form, channel=turn.inbound.channel, at=turn.now
    )
    turn.state.form = None
    turn.state.last_text, turn.state.last_topic = "", None
    say_opened(turn, opened)


def say_opened(turn: Turn, opened: OpenedTicket) -> None:
    """Number, code, unit, why that unit, and by when."""
    ticket = opened.ticket
    is_private = ticket.sensitivity == tickets.RESTRICTED
    key = "ticket_open.opened_private" if is_private else "ticket_open.opened"
    if not is_private and ticket.status == "triage":
        key = "ticket_open.opened_triage"
    turn.say(
        key,
        buttons=[
            turn.button("button.progress", f"/progress:{ticket.number}"),
            turn.button("button.change_unit", f"/unit:{ticket.number}"),
            turn.button("button.add", f"/add:{ticket.number}"),
        ],
        is_essential=True,
        ticket_id=ticket.id,
        ticket_no=ticket.number,
        query_code=opened.access_code,
        topic=topic_name(turn.services, ticket, turn.locale),
        unit=turn.services.unit_name(ticket.unit_code),
        reason=ticket.reason,
        due=turn.services.time_text(turn.locale, ticket.due_at),
    )
    co_units = opened.assignment.co_units if opened.assignment else ()
    if co_units:
        names = "、".join(turn.services.unit_name(code) for code in co_units)
        turn.say("ticket_open.opened_co", co_units=names)
