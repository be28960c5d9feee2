"""Telling the requester what became of their ticket, in their own conversation."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from handlers.services import Services
from handlers.state import ConversationState, Waiting
from storage import conversations, outbox
from storage.models import Conversation, Ticket

Button = dict[str, str]


async def tell_requester(
    session: AsyncSession,
    services: Services,
    ticket: Ticket,
    key: str,
    *,
    buttons: Sequence[tuple[str, str]] = (),
    author: str | None = None,
    waiting: Waiting | None = None,
    **values: object,
) -> Conversation:
    """Put one message into the requester's outbox. ``buttons`` are (wording key, payload).

    ``waiting`` makes the person's next free text the answer, unless a form is running.
    """
    conversation = await conversations.lock(session, ticket.conversation_id)
    state = ConversationState.from_json(conversation.state)
    made = [{"title": services.text(conversation.locale, title), "payload": payload} for title, payload in buttons]
    state.offer(made)
    state.has_choices = bool(made)
    if waiting is not None:
        state.expect(waiting, ticket.number)
    conversation.state = state.to_json()
    outbox.enqueue(
        session,
        conversation,
        services.text(conversation.locale, key, ticket_no=ticket.number, **values),
        now=services.now(),
        buttons=made,
        author=author,
        ticket_id=ticket.id,
        is_essential=True,
    )
    return conversation


SOLVED_BUTTONS = ("rate.solved_yes", "yes"), ("rate.solved_partly", "partly"), ("rate.solved_no", "no")


def solved_buttons(number: str) -> list[tuple[str, str]]:
    return [(key, f"/solved:{number}:{answer}") for key, answer in SOLVED_BUTTONS]
