"""Recording what came in, once."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncSession

from storage.locks import is_postgresql
from storage.models import Conversation, InboundMessage, OutboxMessage


async def record(
    session: AsyncSession, conversation: Conversation, *, key: str, text: str, payload: str | None, now: datetime
) -> int | None:
    """Store one message; its id, or None when a message with this key is stored already.

    The unique constraint (channel, account, key) decides, inside this transaction.
    """
    address = conversation.address
    insert = postgresql_insert if is_postgresql(session) else sqlite_insert
    statement = (
        insert(InboundMessage)
        .values(
            conversation_id=conversation.id,
            seq=conversation.next_seq,
            channel=address.channel,
            account=address.account,
            key=key,
            text=text,
            payload=payload,
            received_at=now,
        )
        .on_conflict_do_nothing(index_elements=["channel", "account", "key"])
        .returning(InboundMessage.id)
    )
    inbound_id = (await session.execute(statement)).scalar_one_or_none()
    if inbound_id is not None:
        conversation.next_seq += 1
    return inbound_id


async def earlier(
    session: AsyncSession, conversation: Conversation, key: str
) -> tuple[InboundMessage, list[OutboxMessage]]:
    """The stored message of this key, and what was answered to it."""
    address = conversation.address
    stored = (
        await session.execute(
            select(InboundMessage).where(
                InboundMessage.channel == address.channel,
                InboundMessage.account == address.account,
                InboundMessage.key == key,
            )
        )
    ).scalar_one()
    answers = await session.execute(
        select(OutboxMessage).where(OutboxMessage.inbound_id == stored.id).order_by(OutboxMessage.seq)
    )
    return stored, list(answers.scalars())
