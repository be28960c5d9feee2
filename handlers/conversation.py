"""One message in, a decision out: crisis → button → command → what was being asked → understanding."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from handlers import answers, crisis, form_dialogue, own_tickets, words
from handlers.errors import UserFacingError
from handlers.inbound import MAX_TEXT
from handlers.turn import Button, Turn
from nlu.engine import Utterance
from nlu.fallback import Ambiguous, Confident, Unknown, decide

SURE_IN_CRISIS = 0.8


async def respond(turn: Turn) -> None:
    """Decide and queue the replies of this turn. Refusals become a sentence; anything else is a crash of ours."""
    try:
        await _respond(turn)
    except UserFacingError as refusal:
        if turn.state.waiting is not None and own_tickets.is_refusal_of_waiting(refusal):
            turn.state.expect(None)
        turn.say_text(turn.words(refusal.wording_key, **refusal.values))
    turn.state.has_choices = any(reply.buttons for reply in turn.replies)
    turn.conversation.state = turn.state.to_json()


async def _respond(turn: Turn) -> None:
    if len(turn.inbound.text) > MAX_TEXT:
        turn.say("error.too_long", limit=MAX_TEXT)
        return
    payload = _pressed(turn)
    if payload is not None and payload != OLD_BUTTON:
        await _press(turn, payload)
        return
    if not turn.text:
        turn.say("error.empty")
        return
    danger = turn.services.lexicon.scan(turn.text)
    if danger is not None and danger.is_acute:
        await crisis.respond_to_acute(turn, danger)
        return
    if payload is not None:
        await _press(turn, payload)
        return
    await _read(turn)
    if danger is not None:
        crisis.add_care(turn, danger)


async def _read(turn: Turn) -> None:
    """Text that is neither a button nor an emergency."""
    command, with_words = words.command_of(turn.text), words.command_with_words(turn.text)
    if command is not None:
        await _obey(turn, command)
    elif with_words is not None and turn.state.form is None:
        turn.state.expect(None)
        await _do_with_words(turn, *with_words)
    elif turn.state.form is not None:
        await form_dialogue.read_answer(turn, turn.state.form)
    elif not await _read_awaited(turn):
        await _understand(turn)


async def _obey(turn: Turn, command: str) -> None:
    """A command beats what was being asked; a form that it interrupts goes on afterwards."""
    form = turn.state.form
    if command not in KEEPS_WAITING:
        turn.state.expect(None)
    await _do(turn, command, is_command=True)
    if form is not None and turn.state.form is form and command not in OF_THE_FORM:
        turn.say("form.back_to")
        form_dialogue.prompt(turn)


KEEPS_WAITING = frozenset({"cancel", "resume", "back"})
OF_THE_FORM = frozenset({"back", "resume", "open_ticket", "human_handoff", "none_of_these"})


async def _do_with_words(turn: Turn, command: str, said: str) -> None:
    """A command and its words in one message: nobody has to say it twice."""
    number = words.ticket_number(turn.text)
    match command:
        case "add_to_ticket":
            await own_tickets.add(turn, number, said)
        case "change_unit":
            await own_tickets.change_unit(turn, number, text=said)
        case "reopen_ticket":
            await own_tickets.reopen(turn, number, said)
        case _:
            await _do(turn, command)


async def _read_awaited(turn: Turn) -> bool:
    waiting, number = turn.state.waiting, turn.state.waiting_number
    if waiting is None or number is None:
        return False
    return await own_tickets.free_text(turn, waiting, number)


async def _understand(turn: Turn) -> None:
    in_crisis = await crisis.keep_for_desk(turn)
    number = words.ticket_number(turn.text)
    result = await turn.services.engine.parse(Utterance(turn.text))
    verdict = decide(result, turn.services.thresholds)
    if in_crisis and not (isinstance(verdict, Confident) and verdict.confidence >= SURE_IN_CRISIS):
        crisis.comfort(turn)
        return
    match verdict:
        case Confident(intent=intent):
            entry = turn.services.faq.of_intent(intent)
            if entry is not None and entry.is_valid(turn.services.local(turn.now).date()):
                answers.give(turn, entry)
            elif entry is None and intent in FUNCTIONS:
                await _do(turn, intent)
            else:
                answers.admit(turn, result.ranking[1:])
        case _ if number is not None:
            await own_tickets.show_progress(turn, number)
        case Ambiguous(intents=candidates):
            answers.offer_choice(turn, candidates)
        case Unknown(nearest=nearest):
            answers.admit(turn, nearest)


# ------------------------------------------------------------------ what a function name does


async def _open_ticket(turn: Turn, *, is_command: bool) -> None:
    """求助: with the question just asked, or with the words that asked for help when they say what it is about."""
    if turn.state.form is not None:
        form_dialogue.prompt(turn)
    else:
        await form_dialogue.start(turn, "" if is_command else turn.text)


async def _human(turn: Turn, *, is_command: bool) -> None:
    """转人工: a person gets the words that the bot could not help with."""
    if turn.state.form is not None:
        form_dialogue.prompt(turn)
    else:
        await form_dialogue.start(turn, turn.state.last_text, topic=_topic_of_last(turn))


def _topic_of_last(turn: Turn) -> str | None:
    return turn.state.last_topic if turn.state.last_text else None


async def _complain(turn: Turn, *, is_command: bool) -> None:
    await _fixed(turn, "platform.service", "complaint.ask", is_command)


async def _report_fake(turn: Turn, *, is_command: bool) -> None:
    await _fixed(turn, "activity.fake", "fake_activity.ask", is_command)


async def _fixed(turn: Turn, topic: str, key: str, is_command: bool) -> None:
    turn.state.last_text = ""
    await form_dialogue.start(turn, "" if is_command else turn.text, topic=topic, is_topic_fixed=True, ask_key=key)


async def _status(turn: Turn, *, is_command: bool) -> None:
    await own_tickets.show_progress(turn, words.ticket_number(turn.text))


async def _add(turn: Turn, *, is_command: bool) -> None:
    await own_tickets.add(turn, words.ticket_number(turn.text))


async def _withdraw(turn: Turn, *, is_command: bool) -> None:
    await own_tickets.withdraw(turn, words.ticket_number(turn.text))


async def _reopen(turn: Turn, *, is_command: bool) -> None:
    # Who says in their own words that it is not solved has given the reason already.
    await own_tickets.reopen(turn, words.ticket_number(turn.text), None if is_command else turn.text)


async def _change_unit(turn: Turn, *, is_command: bool) -> None:
    await own_tickets.change_unit(turn, words.ticket_number(turn.text))


async def _urge(turn: Turn, *, is_command: bool) -> None:
    await own_tickets.urge(turn, words.ticket_number(turn.text))


async def _rate(turn: Turn, *, is_command: bool) -> None:
    await own_tickets.ask_rating(turn, words.ticket_number(turn.text))


async def _menu(turn: Turn, *, is_command: bool) -> None:
    turn.say(
        "menu.main",
        buttons=[
            turn.button("function.open_ticket", "/help:new"),
            turn.button("function.ticket_status", "/progress"),
            turn.button("function.rate", "/rate"),
            turn.button("function.complaint_about_service", "/complain"),
            turn.button("function.report_fake_activity", "/fake"),
            turn.button("function.human_handoff", "/help"),
        ],
    )


async def _cancel(turn: Turn, *, is_command: bool) -> None:
    had_something = not is_command or turn.state.form is not None or turn.state.waiting is not None
    turn.state.form = None
    turn.state.expect(None)
    turn.say("form.cancelled" if had_something else "form.nothing_to_cancel")


async def _resume(turn: Turn, *, is_command: bool) -> None:
    if turn.state.form is not None:
        form_dialogue.prompt(turn)
    else:
        turn.say("form.nothing_to_resume")


async def _back(turn: Turn, *, is_command: bool) -> None:
    if turn.state.form is not None:
        await form_dialogue.press(turn, turn.state.form, "back", "")
    else:
        turn.say("form.nothing_to_resume")


async def _greet(turn: Turn, *, is_command: bool) -> None:
    turn.say("greeting.first_time", buttons=[turn.button("function.help_menu", "/menu")])


async def _thanks(turn: Turn, *, is_command: bool) -> None:
    turn.say("greeting.thanks")


async def _goodbye(turn: Turn, *, is_command: bool) -> None:
    turn.say("greeting.goodbye")


async def _bare_yes_or_no(turn: Turn, *, is_command: bool) -> None:
    turn.say("greeting.what_next", buttons=[turn.button("function.help_menu", "/menu")])


async def _none_of_these(turn: Turn, *, is_command: bool) -> None:
    if turn.state.form is not None:
        await form_dialogue.read_answer(turn, turn.state.form)
    else:
        turn.say("faq.none_of_these", buttons=[turn.button("button.person", "/help")])


def _not_yet(name: str) -> Callable[..., Awaitable[None]]:
    """A function of a later version: say so, and offer the unit that runs it."""

    async def say_not_yet(turn: Turn, *, is_command: bool) -> None:
        answers.remember_question(turn)
        if is_command:
            turn.state.last_text = ""
        turn.say(
            "function.not_yet",
            buttons=[turn.button("button.person", "/help"), turn.button("function.help_menu", "/menu")],
            function=turn.words(f"function.{name}"),
        )

    return say_not_yet


FUNCTIONS: dict[str, Callable[..., Awaitable[None]]] = {
    "open_ticket": _open_ticket,
    "human_handoff": _human,
    "ticket_status": _status,
    "add_to_ticket": _add,
    "withdraw_ticket": _withdraw,
    "reopen_ticket": _reopen,
    "change_unit": _change_unit,
    "urge_ticket": _urge,
    "rate": _rate,
    "complaint_about_service": _complain,
    "report_fake_activity": _report_fake,
    "help_menu": _menu,
    "cancel": _cancel,
    "back": _back,
    "none_of_these": _none_of_these,
    "resume": _resume,
    "greet": _greet,
    "thanks": _thanks,
    "goodbye": _goodbye,
    "affirm": _bare_yes_or_no,
    "deny": _bare_yes_or_no,
    **{
        name: _not_yet(name)
        for name in (
            "find_activity",
            "join_activity",
            "find_venue",
            "book_venue",
            "my_card",
            "my_points",
            "transfer_membership",
            "survey",
        )
    },
}


async def _do(turn: Turn, name: str, *, is_command: bool = False) -> None:
    await FUNCTIONS[name](turn, is_command=is_command)


# ------------------------------------------------------------------ buttons


def _pressed(turn: Turn) -> str | None:
    """The payload that this message presses: a button we gave out, by payload, by title or by number."""
    offers = turn.state.offers
    text = turn.inbound.payload or turn.text
    if text.startswith("/"):
        known = {button["payload"] for offer in offers for button in offer}
        if text in known:
            return text
        # Rasa's clients send a pressed button as plain text: an expired one must not become part of a description.
        return OLD_BUTTON if turn.inbound.payload or _PAYLOAD.fullmatch(text) else None
    if not offers or turn.inbound.payload is not None:
        return None
    said = words.plain(text)
    newest = offers[-1]
    is_command = words.command_of(text) is not None
    for offer in reversed(offers):
        for button in offer:
            # A command means what it says, not the button of the same title that some earlier ticket was shown with.
            is_current = offer is newest or not (is_command or button["payload"].startswith("/form:"))
            if said and is_current and said == words.plain(button["title"]):
                return button["payload"]
    return _said_yes_or_no(text, newest) or _said_verdict(text, offers) or _said_number(turn, said, newest)


def _said_yes_or_no(text: str, newest: list[Button]) -> str | None:
    """The answer to "withdraw, sure?"."""
    asked = next((button["payload"] for button in newest if _SURE.fullmatch(button["payload"])), None)
    if asked is None or not (words.is_yes(text) or words.is_no(text)):
        return None
    return asked if words.is_yes(text) else "/cancel"


def _said_verdict(text: str, offers: list[list[Button]]) -> str | None:
    """解决了, 部分, 没解决: the newest ticket that was asked about."""
    verdict = words.verdict(text)
    asked = (button["payload"] for offer in reversed(offers) for button in offer)
    return next((one for one in asked if one.startswith("/solved:") and one.endswith(f":{verdict}")), None)


def _said_number(turn: Turn, said: str, newest: list[Button]) -> str | None:
    choices = [button["payload"] for button in newest if button["payload"] not in CONTROLS]
    is_number = said.isascii() and said.isdigit() and len(said) <= 2
    if is_number and turn.state.has_choices and 1 <= int(said) <= len(choices):
        return choices[int(said) - 1]
    return None


OLD_BUTTON = "/old"
_SURE = re.compile(r"/withdraw:[A-Z0-9]+:yes")
CONTROLS = frozenset({"/form:back", "/form:cancel", "/cancel"})
"""Buttons that no number presses: they are not choices."""
_PAYLOAD = re.compile(r"/[a-z_]+(:\S*)?")


async def _press(turn: Turn, payload: str) -> None:
    verb, _, rest = payload.removeprefix("/").partition(":")
    first, _, second = rest.partition(":")
    match verb:
        case "form" if turn.state.form is not None:
            await form_dialogue.press(turn, turn.state.form, first, second)
        case "faq" | "helpful" | "unhelpful":
            _press_entry(turn, verb, first)
        case "help":
            last = "" if first == "new" else turn.state.last_text
            await form_dialogue.start(turn, last, topic=_topic_of_last(turn) if last else None)
        case "menu" | "cancel":
            await _do(turn, "help_menu" if verb == "menu" else "cancel")
        case "complain" | "fake":
            await _do(
                turn, "complaint_about_service" if verb == "complain" else "report_fake_activity", is_command=True
            )
        case "crisis":
            await crisis.call_person(turn)
        case "progress" | "add" | "urge" | "withdraw" | "reopen" | "unit" | "rate" | "solved" | "score" | "comment":
            await _press_ticket(turn, verb, first or None, second)
        case _:
            turn.say("form.old_button")
            form_dialogue.prompt(turn)


def _press_entry(turn: Turn, verb: str, slug: str) -> None:
    entry = turn.services.faq.get(slug)
    if entry is None:
        turn.say("form.old_button")
    elif verb == "faq":
        question = turn.state.last_text
        answers.give(turn, entry)
        # What the person wrote says more about their case than the title they picked.
        turn.state.last_text = question or entry.title
    else:
        answers.feedback(turn, entry, is_helpful=verb == "helpful")


async def _press_ticket(turn: Turn, verb: str, number: str | None, argument: str) -> None:
    match verb:
        case "progress":
            await own_tickets.show_progress(turn, number)
        case "add":
            await own_tickets.add(turn, number)
        case "urge":
            await own_tickets.urge(turn, number)
        case "withdraw":
            await own_tickets.withdraw(turn, number, is_sure=argument == "yes")
        case "reopen":
            await own_tickets.reopen(turn, number, "" if argument == "skip" else None)
        case "unit":
            await own_tickets.change_unit(turn, number, argument or None)
        case "rate":
            await own_tickets.ask_rating(turn, number)
        case "solved" if number:
            await own_tickets.tell_solved(turn, number, argument)
        case "score" if number:
            await own_tickets.tell_score(turn, number, argument)
        case "comment" if number:
            await own_tickets.tell_comment(turn, number, None)
