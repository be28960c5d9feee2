"""What came in and what is to go out."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from storage.models.base import Base, BigId


class InboundMessage(Base):
    """One message as it was received. The unique key makes a repeated delivery harmless."""

    __tablename__ = "inbound_messages"
    __table_args__ = (
        UniqueConstraint("channel", "account", "key"),
        Index("ix_inbound_messages_conversation_seq", "conversation_id", "seq"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    conversation_id: Mapped[int] = mapped_column(BigId, ForeignKey("conversations.id"))
    seq: Mapped[int]
    channel: Mapped[str] = mapped_column(String(32))
    account: Mapped[str] = mapped_column(String(64))
    key: Mapped[str] = mapped_column(String(600))
    text: Mapped[str]
    payload: Mapped[str | None]
    received_at: Mapped[datetime]


class OutboxStatus(StrEnum):
    PENDING = "pending"
    """To be sent by the delivery worker."""
    HELD = "held"
    """The channel cannot write first: given with the person's next message."""
    CLAIMED = "claimed"
    """A worker holds the lease and is sending."""
    SENT = "sent"
    UNDELIVERABLE = "undeliverable"
    """Given up; shown at the desk."""


class OutboxMessage(Base):
    """One message to a person, saved in the transaction that caused it."""

    __tablename__ = "outbox_messages"
    __table_args__ = (
        Index("ix_outbox_messages_conversation_seq", "conversation_id", "seq"),
        Index("ix_outbox_messages_status_due", "status", "next_attempt_at"),
        Index("ix_outbox_messages_inbound_id", "inbound_id"),
        Index("ix_outbox_messages_conversation_status", "conversation_id", "status"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    conversation_id: Mapped[int] = mapped_column(BigId, ForeignKey("conversations.id"))
    seq: Mapped[int]
    inbound_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("inbound_messages.id"))
    ticket_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("tickets.id"), index=True)
    author: Mapped[str | None]
    text: Mapped[str]
    buttons: Mapped[list[Any]]
    is_essential: Mapped[bool]
    """Class A (crisis, ticket results): sent at least once. Otherwise at most once after an ambiguous time-out."""
    status: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    fence: Mapped[int] = mapped_column(default=0)
    failure: Mapped[str | None]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
