"""What people thought of an answer, and what the service did not understand."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from storage.models.base import Base, BigId, Code


class Rating(Base):
    """A requester's rating of one cycle of a ticket. A change within seven days is a new row; the last one counts."""

    __tablename__ = "ratings"
    __table_args__ = (
        Index("ix_ratings_ticket_cycle", "ticket_id", "cycle"),
        Index("ix_ratings_unit_code", "unit_code"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    ticket_id: Mapped[int] = mapped_column(BigId, ForeignKey("tickets.id"))
    cycle: Mapped[int]
    solved: Mapped[str] = mapped_column(String(8))
    satisfaction: Mapped[int | None]
    comment: Mapped[str | None]
    unit_code: Mapped[str] = mapped_column(Code)
    unit_path: Mapped[str] = mapped_column(String(512))
    user_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("users.id"))
    topic: Mapped[str] = mapped_column(Code)
    is_current: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]


class AnswerFeedback(Base):
    """Thumbs on the bot's own answer. Never enters the score of a unit or a cadre."""

    __tablename__ = "answer_feedback"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    conversation_id: Mapped[int] = mapped_column(BigId, ForeignKey("conversations.id"))
    entry: Mapped[str] = mapped_column(Code, index=True)
    is_helpful: Mapped[bool]
    at: Mapped[datetime]


class Miss(Base):
    """A message that was not understood or not helped, kept for learning."""

    __tablename__ = "misses"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    inbound_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("inbound_messages.id"))
    kind: Mapped[str] = mapped_column(String(16))
    nearest: Mapped[list[Any]]
    at: Mapped[datetime] = mapped_column(index=True)
