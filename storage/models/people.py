"""Who writes to us, where, and how far the conversation has got."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from storage.models.base import Base, BigId


class Person(Base):
    """A human being; may have several addresses."""

    __tablename__ = "people"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    created_at: Mapped[datetime]


class Address(Base):
    """One place where a person can be reached: (channel, account, peer)."""

    __tablename__ = "addresses"
    __table_args__ = (UniqueConstraint("channel", "account", "peer"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    person_id: Mapped[int] = mapped_column(BigId, ForeignKey("people.id"), index=True)
    channel: Mapped[str] = mapped_column(String(32))
    account: Mapped[str] = mapped_column(String(64))
    peer: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime]


class Conversation(Base):
    """The running exchange with one address. ``next_seq`` numbers both directions, so that a page can ask "after"."""

    __tablename__ = "conversations"
    __table_args__ = (Index("ix_conversations_last_at", "last_at"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    address_id: Mapped[int] = mapped_column(BigId, ForeignKey("addresses.id"), unique=True)
    person_id: Mapped[int] = mapped_column(BigId, ForeignKey("people.id"), index=True)
    locale: Mapped[str] = mapped_column(String(8))
    state: Mapped[dict[str, Any]]
    next_seq: Mapped[int] = mapped_column(default=1)
    last_at: Mapped[datetime]

    address: Mapped[Address] = relationship(lazy="raise")
