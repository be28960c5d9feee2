"""One message in: lock, de-duplicate, decide in one transaction, turn errors into words."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from bot.metrics import Metrics
from config import failpoints
from handlers.conversation import respond
from handlers.inbound import Inbound
from handlers.services import Services
from handlers.state import ConversationState
from handlers.turn import Turn
from storage import conversations, inbox, outbox
from storage.conversations import Said, from_inbound, from_outbox
from storage.locks import KeyedLocks
from storage.models import Conversation
from storage.session import CONNECTION_LOST, Database, Overloaded

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fed:
    """What was stored for one inbound message: the message itself, and what the callback may give back."""

    conversation_id: int
    received: Said
    replies: tuple[Said, ...]
    is_repeat: bool


class Dispatcher:
    def __init__(self, database: Database, services: Services, metrics: Metrics) -> None:
        self._database, self._services, self._metrics = database, services, metrics
        self._locks = KeyedLocks()

    async def feed(self, inbound: Inbound, *, gives_waiting: bool = False) -> Fed:
        """Handle one message: committed when this returns. The same key again gives the same replies, and no effect.

        ``gives_waiting``: the channel cannot write first, so the answer carries what waited.
        Raises Overloaded, or the driver's error when the database is away; nothing is stored then.
        """
        async with self._locks.hold((inbound.channel, inbound.account, inbound.peer)):
            try:
                async with self._database.transaction() as session:
                    fed = await self._decide(session, inbound, gives_waiting=gives_waiting)
            except (Overloaded, *CONNECTION_LOST):
                raise
            except Exception as error:
                if isinstance(error, DBAPIError) and error.connection_invalidated:
                    raise
                fed = await self._apologise(inbound)
        self._metrics.count("messages", inbound.channel, "repeat" if fed.is_repeat else "answered")
        return fed

    async def _open(self, session: AsyncSession, inbound: Inbound) -> tuple[Conversation, int | None]:
        conversation = await conversations.find_or_open(
            session,
            channel=inbound.channel,
            account=inbound.account,
            peer=inbound.peer,
            locale=inbound.locale or "zh_CN",
            now=inbound.received_at,
        )
        inbound_id = await inbox.record(
            session,
            conversation,
            key=inbound.key,
            text=inbound.text,
            payload=inbound.payload,
            now=inbound.received_at,
        )
        return conversation, inbound_id

    async def _decide(self, session: AsyncSession, inbound: Inbound, *, gives_waiting: bool) -> Fed:
        conversation, inbound_id = await self._open(session, inbound)
        if inbound_id is None:
            return await self._repeat(session, conversation, inbound.key)
        failpoints.hit("in_tx")
        if inbound.locale is not None:
            conversation.locale = inbound.locale
        conversation.last_at = inbound.received_at
        received = Said(conversation.next_seq - 1, "person", None, inbound.text, inbound.received_at, key=inbound.key)
        waiting = (
            await outbox.take_waiting(session, conversation, inbound_id=inbound_id, now=inbound.received_at)
            if gives_waiting
            else []
        )
        turn = Turn(
            session=session,
            services=self._services,
            conversation=conversation,
            inbound=inbound,
            inbound_id=inbound_id,
            state=ConversationState.from_json(conversation.state),
        )
        await respond(turn)
        replies = tuple(from_outbox(message) for message in (*waiting, *turn.replies))
        return Fed(conversation.id, received, replies, is_repeat=False)

    async def _repeat(self, session: AsyncSession, conversation: Conversation, key: str) -> Fed:
        stored, answers = await inbox.earlier(session, conversation, key)
        return Fed(
            conversation.id, from_inbound(stored), tuple(from_outbox(message) for message in answers), is_repeat=True
        )

    async def _apologise(self, inbound: Inbound) -> Fed:
        """Deciding crashed and was rolled back: keep the message, and give the person a reference to quote."""
        reference = secrets.token_hex(4)
        log.exception("message could not be handled, reference %s", reference)
        self._metrics.count("messages", inbound.channel, "failed")
        async with self._database.transaction() as session:
            conversation, inbound_id = await self._open(session, inbound)
            if inbound_id is None:
                return await self._repeat(session, conversation, inbound.key)
            received = Said(
                conversation.next_seq - 1, "person", None, inbound.text, inbound.received_at, key=inbound.key
            )
            message = outbox.enqueue(
                session,
                conversation,
                self._services.text(conversation.locale, "error.generic", reference=reference),
                now=inbound.received_at,
                answers_inbound=inbound_id,
            )
            return Fed(conversation.id, received, (from_outbox(message),), is_repeat=False)
