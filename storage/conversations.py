"""Finding the conversation of an address, and what was said in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager

from storage.locks import is_postgresql, lock_in_transaction
from storage.models import Address, Conversation, InboundMessage, OutboxMessage, Person
from storage.session import announce


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a transcript. ``side`` is "person", "bot" or "staff" (then ``author`` names the unit)."""

    seq: int
    side: str
    author: str | None
    text: str
    at: datetime
    buttons: tuple[dict[str, Any], ...] = ()
    key: str | None = None


# Built once: putting a statement together costs more than running it.
_BY_ADDRESS = (
    select(Conversation)
    .join(Conversation.address)
    .options(contains_eager(Conversation.address))
    .where(
        Address.channel == bindparam("channel"),
        Address.account == bindparam("account"),
        Address.peer == bindparam("peer"),
    )
)


async def find(session: AsyncSession, *, channel: str, account: str, peer: str) -> Conversation | None:
    parameters = {"channel": channel, "account": account, "peer": peer}
    return (await session.execute(_BY_ADDRESS, parameters)).scalar_one_or_none()


async def find_or_open(
    session: AsyncSession, *, channel: str, account: str, peer: str, locale: str, now: datetime
) -> Conversation:
    """The conversation of this address, locked until the transaction ends; begun when there is none yet."""
    await lock_in_transaction(session, f"address:{channel}:{account}:{peer}")
    conversation = await find(session, channel=channel, account=account, peer=peer)
    if conversation is not None:
        return await lock(session, conversation.id) if is_postgresql(session) else conversation
    person = Person(created_at=now)
    session.add(person)
    await session.flush()
    address = Address(person_id=person.id, channel=channel, account=account, peer=peer, created_at=now)
    session.add(address)
    await session.flush()
    conversation = Conversation(
        address_id=address.id, person_id=person.id, locale=locale, state={}, next_seq=1, last_at=now
    )
    conversation.address = address
    session.add(conversation)
    await session.flush()
    announce(session, f"address:{channel}:{account}:{peer}")
    return conversation


async def lock(session: AsyncSession, conversation_id: int) -> Conversation:
    """The conversation by id, locked until the transaction ends (to write into it from the desk)."""
    await lock_in_transaction(session, f"conversation:{conversation_id}")
    statement = (
        select(Conversation)
        .join(Conversation.address)
        .options(contains_eager(Conversation.address))
        .where(Conversation.id == conversation_id)
        .execution_options(populate_existing=True)
    )
    return (await session.execute(statement)).scalar_one()


async def channel_of(session: AsyncSession, conversation_id: int) -> str:
    """The kind of channel that the person writes through."""
    statement = (
        select(Address.channel)
        .join(Conversation, Conversation.address_id == Address.id)
        .where(Conversation.id == conversation_id)
    )
    return (await session.execute(statement)).scalar_one()


async def transcript(session: AsyncSession, conversation_id: int, *, after: int = 0, limit: int = 200) -> list[Said]:
    """What was said after ``after``, oldest first; at most the ``limit`` newest of each direction."""
    received = await session.execute(
        select(InboundMessage)
        .where(InboundMessage.conversation_id == conversation_id, InboundMessage.seq > after)
        .order_by(InboundMessage.seq.desc())
        .limit(limit)
    )
    sent = await session.execute(
        select(OutboxMessage)
        .where(OutboxMessage.conversation_id == conversation_id, OutboxMessage.seq > after)
        .order_by(OutboxMessage.seq.desc())
        .limit(limit)
    )
    said = [from_inbound(row) for row in received.scalars()] + [from_outbox(row) for row in sent.scalars()]
    said.sort(key=lambda one: one.seq)
    return said[-limit:]


def from_inbound(row: InboundMessage) -> Said:
    return Said(row.seq, "person", None, row.text, row.received_at, key=row.key)


def from_outbox(row: OutboxMessage) -> Said:
    side = "staff" if row.author else "bot"
    return Said(row.seq, side, row.author, row.text, row.created_at, tuple(row.buttons))
