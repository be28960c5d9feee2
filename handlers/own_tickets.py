"""What a requester says about their own tickets: progress, more text, urging, another unit, withdrawal, rating."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from handlers import answers, progress, ratings, tickets, words
from handlers.access import ticket_for_code, ticket_for_requester
from handlers.errors import NotFound, TooManyAttempts, UserFacingError
from handlers.notices import SOLVED_BUTTONS
from handlers.state import Waiting
from handlers.turn import Button, Turn
from nlu.engine import Utterance
from nlu.fallback import Confident, decide
from routing.lifecycle import TicketStatus, is_open
from storage import ratings as ratings_store
from storage import tickets as tickets_store
from storage.models import Ticket

LISTED = 8
SHORT_QUESTION = 25
WRONG_CODES_ALLOWED = 5
WRONG_CODES_PAUSE = timedelta(minutes=15)

# Which of a person's tickets an act can be meant for.
_ALL = frozenset(TicketStatus)
_OPEN = frozenset(status for status in TicketStatus if is_open(status))
_WAITING = frozenset(TicketStatus(status) for status in tickets_store.OPEN_STATUSES)
_REPLIED = frozenset({TicketStatus.ANSWERED, TicketStatus.CLOSED})


def actions(turn: Turn, ticket: Ticket) -> list[Button]:
    """What this ticket allows now, as buttons."""
    number = ticket.number
    if ticket.status in _WAITING:
        buttons = [turn.button("button.add", f"/add:{number}"), turn.button("button.urge", f"/urge:{number}")]
        if not ticket.is_crisis:
            buttons += [
                turn.button("button.change_unit", f"/unit:{number}"),
                turn.button("button.withdraw", f"/withdraw:{number}"),
            ]
        return buttons
    if ticket.status in _REPLIED and not ticket.is_crisis:
        return [turn.button("button.rate", f"/rate:{number}"), turn.button("button.reopen", f"/reopen:{number}")]
    return []


async def _choose(turn: Turn, number: str | None, verb: str, statuses: frozenset[TicketStatus]) -> Ticket | None:
    """The ticket that is meant: the one named, the only one possible, or a question which. None when it was asked."""
    if number is not None:
        return await ticket_for_requester(turn.session, turn.person_id, number, for_update=True)
    own = await tickets_store.of_person(turn.session, turn.person_id)
    fitting = [ticket for ticket in own if ticket.status in statuses]
    if not fitting:
        turn.say("ticket_progress.none" if not own else "ticket_progress.none_fitting")
        return None
    if len(fitting) == 1:
        return await ticket_for_requester(turn.session, turn.person_id, fitting[0].number, for_update=True)
    turn.say("ticket_change.which", buttons=_list_buttons(turn, fitting, verb))
    return None


def _list_buttons(turn: Turn, found: Sequence[Ticket], verb: str) -> list[Button]:
    return [
        turn.button(
            "button.listed_ticket",
            f"/{verb}:{ticket.number}",
            ticket_no=ticket.number,
            topic=progress.topic_name(turn.services, ticket, turn.locale),
            status=turn.words(f"status.{ticket.status}"),
        )
        for ticket in found[:LISTED]
    ]


async def show_progress(turn: Turn, number: str | None) -> None:
    """查进度: one ticket, the list, or, with the access code, a ticket opened elsewhere."""
    if number is None:
        own = await tickets_store.of_person(turn.session, turn.person_id)
        if not own:
            turn.say("ticket_progress.none")
        elif len(own) == 1:
            await _show(turn, own[0], is_own=True)
        else:
            turn.say("ticket_progress.list", buttons=_list_buttons(turn, own, "progress"), count=len(own))
        return
    try:
        ticket = await ticket_for_requester(turn.session, turn.person_id, number)
    except NotFound:
        await _show_with_code(turn, number)
        return
    await _show(turn, ticket, is_own=True)


async def _show_with_code(turn: Turn, number: str) -> None:
    code = words.access_code(turn.text)
    if code is None:
        turn.say("ticket_progress.need_code")
        return
    state = turn.state
    since = datetime.fromisoformat(state.wrong_codes_at) if state.wrong_codes_at else turn.now
    if turn.now - since > WRONG_CODES_PAUSE:
        state.wrong_codes = 0
    if state.wrong_codes >= WRONG_CODES_ALLOWED:
        raise TooManyAttempts(retry_at=turn.services.moment(since + WRONG_CODES_PAUSE))
    try:
        ticket = await ticket_for_code(turn.session, turn.services, number, code)
    except NotFound:
        state.wrong_codes, state.wrong_codes_at = state.wrong_codes + 1, turn.now.isoformat()
        turn.say("ticket_progress.wrong_code")
        return
    state.wrong_codes = 0
    await _show(turn, ticket, is_own=False)


async def _show(turn: Turn, ticket: Ticket, *, is_own: bool) -> None:
    text = await progress.status_text(turn.session, turn.services, ticket, turn.locale)
    turn.say_text(text, buttons=actions(turn, ticket) if is_own else ())


async def add(turn: Turn, number: str | None, text: str = "") -> None:
    ticket = await _choose(turn, number, "add", _OPEN)
    if ticket is None:
        return
    if text:
        await tickets.add_text(turn.session, turn.services, ticket, text, at=turn.now)
        turn.state.expect(None)
        turn.say("ticket_change.add_ok", ticket_no=ticket.number, unit=turn.services.unit_name(ticket.unit_code))
        return
    turn.state.expect(Waiting.ADD_TEXT, ticket.number)
    turn.say("ticket_change.add_ask", buttons=[turn.button("button.cancel", "/cancel")], ticket_no=ticket.number)


async def urge(turn: Turn, number: str | None) -> None:
    ticket = await _choose(turn, number, "urge", _WAITING)
    if ticket is None:
        return
    await tickets.urge(turn.session, turn.services, ticket, at=turn.now)
    turn.say("ticket_change.urge_ok", ticket_no=ticket.number, unit=turn.services.unit_name(ticket.unit_code))


async def withdraw(turn: Turn, number: str | None, *, is_sure: bool = False) -> None:
    ticket = await _choose(turn, number, "withdraw", _OPEN)
    if ticket is None:
        return
    if ticket.is_crisis:
        await tickets.add_text(turn.session, turn.services, ticket, turn.text, at=turn.now)
        turn.say("ticket_change.withdraw_sensitive", is_essential=True)
        return
    if not is_sure:
        turn.say(
            "ticket_change.withdraw_ask",
            buttons=[
                turn.button("button.withdraw_yes", f"/withdraw:{ticket.number}:yes"),
                turn.button("button.cancel", "/cancel"),
            ],
            ticket_no=ticket.number,
        )
        return
    await tickets.withdraw(turn.session, turn.services, ticket, at=turn.now)
    turn.say("ticket_change.withdraw_ok", ticket_no=ticket.number)


async def reopen(turn: Turn, number: str | None, text: str | None = None) -> None:
    ticket = await _choose(turn, number, "reopen", _REPLIED)
    if ticket is None:
        return
    if text is None:
        turn.state.expect(Waiting.REOPEN_REASON, ticket.number)
        skip = turn.button("button.skip", f"/reopen:{ticket.number}:skip")
        turn.say("ticket_change.reopen_ask", buttons=[skip], ticket_no=ticket.number)
        return
    await tickets.reopen(turn.session, turn.services, ticket, text, at=turn.now)
    turn.state.expect(None)
    turn.say(
        "ticket_change.reopen_ok",
        is_essential=True,
        ticket_id=ticket.id,
        ticket_no=ticket.number,
        count=ticket.cycle - 1,
        unit=turn.services.unit_name(ticket.unit_code),
        due=turn.services.moment(ticket.due_at),
    )


async def change_unit(turn: Turn, number: str | None, wanted: str | None = None, text: str = "") -> None:
    """换部门: offer the units that could also handle it; take a choice, a named unit, or a reason."""
    ticket = await _choose(turn, number, "unit", _WAITING)
    if ticket is None:
        return
    tickets.require_movable(ticket)
    services = turn.services
    if wanted is None and text:
        named = [unit.code for unit in services.places.find_units(text) if unit.code != ticket.unit_code]
        wanted = next((code for code in named if services.router.may_handle(code, ticket.topic)[0]), None)
        if wanted is None and named:
            wanted = named[0]
    if wanted is None and not text:
        await _offer_units(turn, ticket)
        return
    if wanted is None:
        turn.state.expect(Waiting.CHANGE_UNIT, ticket.number)
        turn.state.pending_words = text
        turn.say(
            "ticket_change.change_confirm",
            buttons=[
                turn.button("button.let_desk_decide", f"/unit:{ticket.number}:none"),
                turn.button("button.cancel", "/cancel"),
            ],
        )
        return
    text = text or turn.state.pending_words
    chosen = None if wanted == "none" else wanted
    old_unit = services.unit_name(ticket.unit_code)
    code, reason = await tickets.change_unit(turn.session, services, ticket, chosen, text, at=turn.now)
    turn.state.expect(None)
    turn.say(
        "ticket_change.change_ok",
        is_essential=True,
        ticket_id=ticket.id,
        ticket_no=ticket.number,
        old_unit=old_unit,
        unit=services.unit_name(code),
        reason=reason,
        due=services.moment(ticket.due_at),
    )


async def _offer_units(turn: Turn, ticket: Ticket) -> None:
    services = turn.services
    request = tickets.routing_request(services, tickets.form_of(ticket), channel=turn.inbound.channel)
    found = services.router.alternatives(request, exclude={ticket.unit_code})
    buttons = [{"title": one.name, "payload": f"/unit:{ticket.number}:{one.unit}"} for one in found]
    turn.state.expect(Waiting.CHANGE_UNIT, ticket.number)
    turn.say(
        "ticket_change.change_ask",
        buttons=[
            *buttons,
            turn.button("button.let_desk_decide", f"/unit:{ticket.number}:none"),
            turn.button("button.cancel", "/cancel"),
        ],
        unit=services.unit_name(ticket.unit_code),
        reason=ticket.reason,
        ticket_no=ticket.number,
    )


async def ask_rating(turn: Turn, number: str | None) -> None:
    ticket = await _choose(turn, number, "rate", _REPLIED)
    if ticket is None:
        return
    await ratings.require_rateable(turn.session, ticket, at=turn.now)
    turn.say(
        "rate.ask_solved",
        buttons=[
            turn.button("rate.solved_yes", f"/solved:{ticket.number}:yes"),
            turn.button("rate.solved_partly", f"/solved:{ticket.number}:partly"),
            turn.button("rate.solved_no", f"/solved:{ticket.number}:no"),
        ],
        ticket_no=ticket.number,
    )


async def tell_solved(turn: Turn, number: str, answer: str) -> None:
    """Solved or partly: ask for the score. Not solved: recorded, and back to work at once."""
    ticket = await _choose(turn, number, "rate", _REPLIED)
    if ticket is None or answer not in ratings.SOLVED:
        return
    await ratings.record(turn.session, turn.services, ticket, at=turn.now, solved=answer)
    if answer == "no":
        await reopen(turn, number, text="")
        turn.state.expect(Waiting.ADD_TEXT, ticket.number)
        turn.say("ticket_change.reopen_tell")
        return
    turn.say(
        "rate.ask_score",
        buttons=[turn.button(f"rate.score_{score}", f"/score:{number}:{score}") for score in range(1, 6)],
        unit=turn.services.unit_name(ticket.unit_code),
    )


async def tell_score(turn: Turn, number: str, score: str) -> None:
    ticket = await _choose(turn, number, "rate", _REPLIED)
    if ticket is None or score not in ("1", "2", "3", "4", "5"):
        return
    await ratings.record(turn.session, turn.services, ticket, at=turn.now, satisfaction=int(score))
    turn.state.expect(Waiting.COMMENT, ticket.number)
    turn.say(
        "rate.ask_comment",
        buttons=[turn.button("button.skip", f"/comment:{number}:skip")],
        score=turn.words(f"rate.score_{score}"),
    )


async def tell_comment(turn: Turn, number: str, text: str | None) -> None:
    ticket = await ticket_for_requester(turn.session, turn.person_id, number, for_update=True)
    turn.state.expect(None)
    if text:
        await ratings.record(turn.session, turn.services, ticket, at=turn.now, comment=text)
    present = await ratings_store.current(turn.session, ticket.id, ticket.cycle)
    is_low = present is not None and (present.satisfaction or 5) <= 2
    buttons = [turn.button("button.reopen", f"/reopen:{ticket.number}")] if is_low else []
    turn.say("rate.low_score" if is_low else "rate.done", buttons=buttons)


async def free_text(turn: Turn, waiting: Waiting, number: str) -> bool:
    """The awaited text; False when it is not an answer after all (then the message is read as any other)."""
    match waiting:
        case Waiting.SUPPLY | Waiting.ADD_TEXT if len(turn.text) <= SHORT_QUESTION and await _answered(turn, number):
            pass
        case Waiting.SUPPLY | Waiting.ADD_TEXT:
            await add(turn, number, turn.text)
        case Waiting.FOLLOW_UP:
            return await _follow_up(turn, number)
        case Waiting.CHANGE_UNIT:
            await change_unit(turn, number, text=turn.text)
        case Waiting.REOPEN_REASON:
            await reopen(turn, number, "" if words.is_skip(turn.text) else turn.text)
        case Waiting.COMMENT:
            if words.is_question(turn.text) and len(turn.text) <= 30:
                turn.state.expect(None)
                return False
            await tell_comment(turn, number, None if words.is_skip(turn.text) else turn.text)
    return True


async def _follow_up(turn: Turn, number: str) -> bool:
    """Words after an answer go to its ticket, unless they are a question or a function that we surely know."""
    ticket = await ticket_for_requester(turn.session, turn.person_id, number)
    verdict = decide(await turn.services.engine.parse(Utterance(turn.text)), turn.services.thresholds)
    is_known = isinstance(verdict, Confident) and (
        words.is_question(turn.text) or not verdict.intent.startswith("faq/")
    )
    if ticket.status != TicketStatus.ANSWERED:
        turn.state.expect(None)
        return False
    if is_known:
        return False
    await add(turn, number, turn.text)
    turn.state.expect(Waiting.FOLLOW_UP, number)
    buttons = [turn.button(key, f"/solved:{number}:{answer}") for key, answer in SOLVED_BUTTONS if not ticket.is_crisis]
    turn.say("ticket_change.follow_up", buttons=buttons)
    return True


async def _answered(turn: Turn, number: str) -> bool:
    """A known question in between is answered; what was asked stays open."""
    if not await answers.give_in_between(turn):
        return False
    turn.say("ticket_change.still_waiting", ticket_no=number)
    return True


def is_refusal_of_waiting(error: UserFacingError) -> bool:
    """After these the awaited text is not awaited any more."""
    return error.http_status in (404, 409)
