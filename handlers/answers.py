"""Giving a knowledge entry, offering several, or saying honestly that one does not know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from handlers import words
from handlers.faq import FaqEntry
from handlers.turn import Button, Turn
from nlu.engine import RankedIntent, Utterance
from nlu.fallback import Confident, decide
from storage.models import AnswerFeedback, Miss

SIDE_QUESTION_CONFIDENCE = 0.6
"""Surer than a question by itself must be: the text may also be an answer to what we asked."""

RELATED_FLOOR = 0.05
"""Below this a related question is a random one."""

# Functions that an ambiguous message may have meant; everything else is offered by its FAQ title.
OFFERED_FUNCTIONS = {
    "open_ticket": "/help",
    "ticket_status": "/progress",
    "human_handoff": "/help",
    "urge_ticket": "/urge",
    "change_unit": "/unit",
    "add_to_ticket": "/add",
    "withdraw_ticket": "/withdraw",
    "reopen_ticket": "/reopen",
    "rate": "/rate",
    "complaint_about_service": "/complain",
    "report_fake_activity": "/fake",
    "help_menu": "/menu",
}


def give(turn: Turn, entry: FaqEntry, *, is_in_between: bool = False) -> None:
    """The answer under its title, with a warning when its facts are past review; then "did this help?"."""
    today = turn.services.local(turn.now).date()
    text = turn.words("faq.answer", faq_title=localised(turn, entry.title), faq_text=localised(turn, entry.text))
    if entry.is_outdated(today):
        text = f"{text}\n{turn.words('faq.outdated_note')}"
    elif entry.certainty == "low":
        text = f"{text}\n{turn.words('faq.uncertain_note')}"
    if is_in_between:
        turn.say_text(text)
        return
    turn.state.last_text, turn.state.last_topic = turn.text, entry.escalate_topic
    buttons = [
        turn.button("button.helpful", f"/helpful:{entry.slug}"),
        turn.button("button.unhelpful", f"/unhelpful:{entry.slug}"),
    ]
    if not words.is_question(turn.text):
        # Who tells what happened, rather than asks, may want somebody to act.
        buttons.append(turn.button("button.person", "/help"))
    turn.say_text(text, buttons=buttons)


async def give_in_between(turn: Turn) -> bool:
    """Answer a question that interrupts something else; False when the text is no question we surely know."""
    if not words.is_question(turn.text):
        return False
    verdict = decide(await turn.services.engine.parse(Utterance(turn.text)), turn.services.thresholds)
    if not isinstance(verdict, Confident) or verdict.confidence < SIDE_QUESTION_CONFIDENCE:
        return False
    entry = turn.services.faq.of_intent(verdict.intent)
    if entry is None:
        return False
    give(turn, entry, is_in_between=True)
    return True


def localised(turn: Turn, text: str) -> str:
    """Content is written in Simplified Chinese; Traditional readers get it converted."""
    return turn.services.traditional(text) if turn.locale == "zh_TW" else text


def _entry_button(turn: Turn, entry: FaqEntry) -> Button:
    return {"title": localised(turn, entry.title), "payload": f"/faq:{entry.slug}"}


def buttons_for(turn: Turn, intents: Iterable[RankedIntent], *, limit: int = 3) -> list[Button]:
    """Candidates as buttons with titles; intents that can be neither answered nor done are left out."""
    today = turn.services.local(turn.now).date()
    buttons: list[Button] = []
    for ranked in intents:
        entry = turn.services.faq.of_intent(ranked.name)
        if entry is not None and entry.is_valid(today):
            buttons.append(_entry_button(turn, entry))
        elif ranked.name in OFFERED_FUNCTIONS:
            buttons.append(turn.button(f"function.{ranked.name}", OFFERED_FUNCTIONS[ranked.name]))
    return buttons[:limit]


def offer_choice(turn: Turn, intents: Sequence[RankedIntent]) -> None:
    buttons = buttons_for(turn, intents)
    remember_question(turn)
    if not buttons:
        admit(turn, intents)
        return
    turn.say("faq.choose" if len(buttons) > 1 else "faq.choose_one", buttons=buttons)
    miss(turn, "ambiguous", intents)


def admit(turn: Turn, nearest: Sequence[RankedIntent]) -> None:
    """Not understood: say so, offer what is nearest, and a person."""
    remember_question(turn)
    buttons = buttons_for(turn, [ranked for ranked in nearest if ranked.confidence >= RELATED_FLOOR])
    person = turn.button("button.person", "/help")
    turn.say("faq.low_confidence" if buttons else "faq.out_of_scope", buttons=[*buttons, person])
    miss(turn, "unknown", nearest)


def remember_question(turn: Turn) -> None:
    turn.state.last_text, turn.state.last_topic = turn.text, None


def miss(turn: Turn, kind: str, nearest: Iterable[RankedIntent]) -> None:
    turn.session.add(
        Miss(
            inbound_id=turn.inbound_id,
            kind=kind,
            nearest=[[ranked.name, round(ranked.confidence, 3)] for ranked in list(nearest)[:3]],
            at=turn.now,
        )
    )


def related_buttons(turn: Turn, entry: FaqEntry) -> list[Button]:
    found = (turn.services.faq.get(slug) for slug in entry.related)
    return [_entry_button(turn, other) for other in found if other is not None][:3]


def feedback(turn: Turn, entry: FaqEntry, *, is_helpful: bool) -> None:
    """Record a thumb; a thumb down offers related questions and a person."""
    turn.session.add(
        AnswerFeedback(conversation_id=turn.conversation.id, entry=entry.slug, is_helpful=is_helpful, at=turn.now)
    )
    if is_helpful:
        turn.state.last_text, turn.state.last_topic = "", None
        turn.say("faq.useful")
        return
    turn.session.add(Miss(inbound_id=None, kind="not_helpful", nearest=[[f"faq/{entry.slug}", 1.0]], at=turn.now))
    turn.state.last_topic = entry.escalate_topic
    turn.say("faq.not_useful", buttons=[*related_buttons(turn, entry), turn.button("button.person", "/help")])
