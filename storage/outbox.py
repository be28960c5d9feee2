"""The outbox: saved with its cause, claimed with a lease and a fencing token, settled with a typed result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, bindparam, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from storage.models import Address, Conversation, OutboxMessage, OutboxStatus
from storage.session import announce

LEASE = timedelta(seconds=30)
UNSENT = (OutboxStatus.PENDING, OutboxStatus.CLAIMED)
WAITING = (OutboxStatus.PENDING, OutboxStatus.CLAIMED, OutboxStatus.HELD)
"""Claimed ones too: the worker that is just finding out that it may not write first then loses its lease."""
DELIVERY_TOPIC = "outbox"


@dataclass(frozen=True, slots=True)
class Claim:
    """A message that this worker may send until the lease ends; ``fence`` proves it when settling."""

    id: int
    fence: int
    attempts: int
    is_essential: bool
    channel: str
    account: str
    peer: str
    conversation_id: int
    seq: int
    text: str
    buttons: tuple[dict[str, Any], ...]


def enqueue(
    session: AsyncSession,
    conversation: Conversation,
    text: str,
    *,
    now: datetime,
    buttons: Sequence[dict[str, str]] = (),
    author: str | None = None,
    ticket_id: int | None = None,
    is_essential: bool = False,
    answers_inbound: int | None = None,
) -> OutboxMessage:
    """Save one message to the person.

    An answer to ``answers_inbound`` is given in the callback itself and so counts as sent once committed; everything
    else waits for the delivery worker.
    """
    in_callback = answers_inbound is not None
    message = OutboxMessage(
        conversation_id=conversation.id,
        seq=conversation.next_seq,
        inbound_id=answers_inbound,
        ticket_id=ticket_id,
        author=author,
        text=text,
        buttons=list(buttons),
        is_essential=is_essential,
        status=OutboxStatus.SENT if in_callback else OutboxStatus.PENDING,
        next_attempt_at=now,
        created_at=now,
        sent_at=now if in_callback else None,
    )
    conversation.next_seq += 1
    session.add(message)
    announce(session, f"conversation:{conversation.id}")
    if not in_callback:
        announce(session, DELIVERY_TOPIC)
    return message


_ANY_WAITING = (
    select(OutboxMessage.__table__.c.id)
    .where(
        OutboxMessage.__table__.c.conversation_id == bindparam("conversation"),
        OutboxMessage.__table__.c.status.in_(WAITING),
    )
    .limit(1)
)


async def take_waiting(
    session: AsyncSession, conversation: Conversation, *, inbound_id: int, now: datetime
) -> list[OutboxMessage]:
    """What waited for this person to write again, marked as given with the answer to ``inbound_id``."""
    connection = await session.connection()
    if (await connection.execute(_ANY_WAITING, {"conversation": conversation.id})).first() is None:
        return []
    waiting = await session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.conversation_id == conversation.id, OutboxMessage.status.in_(WAITING))
        .values(status=OutboxStatus.SENT, sent_at=now, inbound_id=inbound_id)
        .returning(OutboxMessage)
    )
    return sorted(waiting.scalars(), key=lambda message: message.seq)


async def has_due(session: AsyncSession, *, now: datetime) -> bool:
    """Whether a claim could find anything (asked before the writer is bothered)."""
    found = await session.execute(
        select(OutboxMessage.id)
        .where(OutboxMessage.status == OutboxStatus.PENDING, OutboxMessage.next_attempt_at <= now)
        .limit(1)
    )
    return found.first() is not None


async def claim(session: AsyncSession, *, now: datetime, limit: int = 50) -> list[Claim]:
    """Lease the oldest unsent message of up to ``limit`` conversations (order within a conversation is kept)."""
    earlier = aliased(OutboxMessage)
    blocked = exists().where(
        and_(
            earlier.conversation_id == OutboxMessage.conversation_id,
            earlier.seq < OutboxMessage.seq,
            earlier.status.in_(UNSENT),
        )
    )
    chosen = await session.execute(
        select(OutboxMessage.id)
        .where(OutboxMessage.status == OutboxStatus.PENDING, OutboxMessage.next_attempt_at <= now, ~blocked)
        .order_by(OutboxMessage.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = list(chosen.scalars())
    if not ids:
        return []
    await session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.id.in_(ids))
        .values(
            status=OutboxStatus.CLAIMED,
            lease_until=now + LEASE,
            fence=OutboxMessage.fence + 1,
            attempts=OutboxMessage.attempts + 1,
        )
    )
    rows = await session.execute(
        select(OutboxMessage, Address)
        .join(Conversation, Conversation.id == OutboxMessage.conversation_id)
        .join(Address, Address.id == Conversation.address_id)
        .where(OutboxMessage.id.in_(ids))
        .order_by(OutboxMessage.id)
        .execution_options(populate_existing=True)
    )
    return [
        Claim(
            id=message.id,
            fence=message.fence,
            attempts=message.attempts,
            is_essential=message.is_essential,
            channel=address.channel,
            account=address.account,
            peer=address.peer,
            conversation_id=message.conversation_id,
            seq=message.seq,
            text=message.text,
            buttons=tuple(message.buttons),
        )
        for message, address in rows
    ]


async def settle(
    session: AsyncSession,
    claimed: Claim,
    status: OutboxStatus,
    *,
    now: datetime,
    next_attempt_at: datetime | None = None,
    failure: str | None = None,
) -> bool:
    """Write down what became of a claim; False when the lease was lost to somebody else meanwhile."""
    result = await session.execute(
        update(OutboxMessage)
        .where(
            OutboxMessage.id == claimed.id,
            OutboxMessage.fence == claimed.fence,
            OutboxMessage.status == OutboxStatus.CLAIMED,
        )
        .values(
            status=status,
            sent_at=now if status is OutboxStatus.SENT else None,
            next_attempt_at=next_attempt_at or now,
            lease_until=None,
            failure=failure,
        )
        .returning(OutboxMessage.id)
    )
    return result.scalar_one_or_none() is not None


async def extend_lease(session: AsyncSession, claimed: Claim, *, now: datetime) -> None:
    await session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.id == claimed.id, OutboxMessage.fence == claimed.fence)
        .values(lease_until=now + LEASE)
    )


async def sweep(session: AsyncSession, *, now: datetime) -> int:
    """Free messages whose worker died: essential ones are sent again, others may have gone out and are given up."""
    lost = (OutboxMessage.status == OutboxStatus.CLAIMED) & (OutboxMessage.lease_until < now)
    freed = await session.execute(
        update(OutboxMessage)
        .where(lost, OutboxMessage.is_essential)
        .values(status=OutboxStatus.PENDING, lease_until=None, next_attempt_at=now)
        .returning(OutboxMessage.id)
    )
    given_up = await session.execute(
        update(OutboxMessage)
        .where(lost, ~OutboxMessage.is_essential)
        .values(status=OutboxStatus.UNDELIVERABLE, lease_until=None, failure="ambiguous")
        .returning(OutboxMessage.id)
    )
    return len(freed.scalars().all()) + len(given_up.scalars().all())


async def undeliverable(session: AsyncSession, ticket_id: int) -> list[OutboxMessage]:
    rows = await session.execute(
        select(OutboxMessage)
        .where(OutboxMessage.ticket_id == ticket_id, OutboxMessage.status == OutboxStatus.UNDELIVERABLE)
        .order_by(OutboxMessage.id)
    )
    return list(rows.scalars())
