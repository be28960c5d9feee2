"""Recording what came in, once."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.locks import is_postgresql
from storage.models import Conversation, InboundMessage, OutboxMessage
from storage.upserts import insert_into

if TYPE_CHECKING:
    from sqlalchemy.sql.dml import ReturningInsert


_inserts: dict[bool, ReturningInsert[Any]] = {}


def _insert(session: AsyncSession) -> ReturningInsert[Any]:
    """The statement of this database, built once."""
    dialect = is_postgresql(session)
    if dialect not in _inserts:
        _inserts[dialect] = (
            insert_into(session, InboundMessage)
            .on_conflict_do_nothing(index_elements=["channel", "account", "key"])
            .returning(InboundMessage.__table__.c.id)
        )
    return _inserts[dialect]


async def record(
    session: AsyncSession, conversation: Conversation, *, key: str, text: str, payload: str | None, now: datetime
) -> int | None:
    """Store one message; its id, or None when a message with this key is stored already.

    The unique constraint (channel, account, key) decides, inside this transaction.
    """
    address = conversation.address
    values = {
        "conversation_id": conversation.id,
        "seq": conversation.next_seq,
        "channel": address.channel,
        "account": address.account,
        "key": key,
        "text": text,
        "payload": payload,
        "received_at": now,
    }
    connection = await session.connection()
    inbound_id: int | None = (await connection.execute(_insert(session), values)).scalar_one_or_none()
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
