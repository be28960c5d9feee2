"""What a conversation remembers between two messages. Lives in SQL, as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from handlers.ticket_form import TicketForm

KEPT_OFFERS = 4


class Waiting(StrEnum):
    """What the next free text answers, when no form is running."""

    SUPPLY = "supply"
    ADD_TEXT = "add_text"
    CHANGE_UNIT = "change_unit"
    REOPEN_REASON = "reopen_reason"
    COMMENT = "comment"
    FOLLOW_UP = "follow_up"
    """A ticket was answered: what comes next probably belongs to it."""


@dataclass(slots=True)
class ConversationState:
    form: TicketForm | None = None
    waiting: Waiting | None = None
    waiting_number: str | None = None
    offers: list[list[dict[str, str]]] = field(default_factory=list)
    """Buttons that were given out, newest last; only these payloads are obeyed."""
    has_choices: bool = False
    """Whether the newest message to the person had buttons, so that a bare number means one of them."""
    pending_words: str = ""
    """What was said with an act that waits for a confirmation."""
    last_text: str = ""
    """The newest question, to start a ticket with."""
    last_topic: str | None = None
    crisis_number: str | None = None
    crisis_until: str | None = None
    wrong_codes: int = 0
    wrong_codes_at: str | None = None

    def offer(self, buttons: Sequence[dict[str, str]]) -> None:
        if buttons:
            self.offers = [*self.offers, list(buttons)][-KEPT_OFFERS:]

    def expect(self, waiting: Waiting | None, number: str | None = None) -> None:
        self.waiting, self.waiting_number, self.pending_words = waiting, number, ""

    def to_json(self) -> dict[str, Any]:
        return {
            "form": self.form.to_json() if self.form else None,
            "waiting": self.waiting,
            "waiting_number": self.waiting_number,
            "offers": self.offers,
            "has_choices": self.has_choices,
            "pending_words": self.pending_words,
            "last_text": self.last_text,
            "last_topic": self.last_topic,
            "crisis_number": self.crisis_number,
            "crisis_until": self.crisis_until,
            "wrong_codes": self.wrong_codes,
            "wrong_codes_at": self.wrong_codes_at,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ConversationState:
        values = dict(data)
        form, waiting = values.pop("form", None), values.pop("waiting", None)
        known = {key: value for key, value in values.items() if key in cls.__slots__}
        return cls(
            form=TicketForm.from_json(form) if form else None, waiting=Waiting(waiting) if waiting else None, **known
        )
