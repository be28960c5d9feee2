"""One message being handled: who wrote, what is remembered, and what is said back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from handlers.inbound import Inbound
from handlers.services import Services
from handlers.state import ConversationState
from storage import outbox
from storage.models import Conversation, OutboxMessage

Button = dict[str, str]


@dataclass(slots=True)
class Turn:
    session: AsyncSession
    services: Services
    conversation: Conversation
    inbound: Inbound
    inbound_id: int
    state: ConversationState
    replies: list[OutboxMessage] = field(default_factory=list)

    @property
    def locale(self) -> str:
        return self.conversation.locale

    @property
    def person_id(self) -> int:
        return self.conversation.person_id

    @property
    def now(self) -> datetime:
        return self.inbound.received_at

    @property
    def text(self) -> str:
        return self.inbound.text.strip()

    def words(self, key: str, **values: object) -> str:
        return self.services.text(self.locale, key, **values)

    def button(self, key: str, payload: str, **values: object) -> Button:
        return {"title": self.words(key, **values), "payload": payload}

    def say(
        self,
        key: str,
        *,
        buttons: Sequence[Button] = (),
        is_essential: bool = False,
        ticket_id: int | None = None,
        **values: object,
    ) -> None:
        self.say_text(self.words(key, **values), buttons=buttons, is_essential=is_essential, ticket_id=ticket_id)

    def say_text(
        self,
        text: str,
        *,
        buttons: Sequence[Button] = (),
        is_essential: bool = False,
        ticket_id: int | None = None,
    ) -> None:
        """Say something; its buttons become valid answers from now on."""
        self.state.offer(buttons)
        self.replies.append(
            outbox.enqueue(
                self.session,
                self.conversation,
                text,
                now=self.now,
                buttons=buttons,
                is_essential=is_essential,
                ticket_id=ticket_id,
                answers_inbound=self.inbound_id,
            )
        )

    def offer_on_last(self, *buttons: Button) -> None:
        """Add buttons to what was said last."""
        last = self.replies[-1]
        last.buttons = [*last.buttons, *buttons]
        self.state.offer(last.buttons)
