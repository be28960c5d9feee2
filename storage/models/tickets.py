"""Tickets, their append-only record, the routing decisions behind them and their clocks."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from storage.models.base import Base, BigId, Code


class Ticket(Base):
    """A request for help. ``status`` is a projection of the events; ``number`` is what people quote."""

    __tablename__ = "tickets"
    __table_args__ = (
        Index("ix_tickets_unit_status", "unit_code", "status"),
        Index("ix_tickets_person_opened", "person_id", "opened_at"),
        Index("ix_tickets_opened_at", "opened_at"),
        Index("ix_tickets_updated_at", "updated_at"),
        Index("ix_tickets_due", "first_reply_at", "due_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    number: Mapped[str] = mapped_column(String(24), unique=True)
    access_code_hash: Mapped[str] = mapped_column(String(64))
    person_id: Mapped[int] = mapped_column(BigId, ForeignKey("people.id"))
    conversation_id: Mapped[int] = mapped_column(BigId, ForeignKey("conversations.id"))

    topic: Mapped[str] = mapped_column(Code)
    sensitivity: Mapped[str] = mapped_column(String(16))
    urgency: Mapped[str] = mapped_column(String(16))
    title: Mapped[str]
    text: Mapped[str]
    area_code: Mapped[str | None] = mapped_column(String(12))
    locality: Mapped[str | None]
    """Town or street that tells units with the same area code apart."""
    place: Mapped[str | None]
    organisation: Mapped[str | None]
    """School or employer as the person named it."""
    member_unit: Mapped[str | None] = mapped_column(Code)
    """Code of that school or employer when it is one of ours."""
    is_anonymous: Mapped[bool]
    contact: Mapped[str | None]
    is_crisis: Mapped[bool] = mapped_column(default=False)
    crisis_category: Mapped[str | None] = mapped_column(String(32))

    unit_code: Mapped[str] = mapped_column(Code, ForeignKey("org_units.code"))
    assignee_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("users.id"))
    reason: Mapped[str]
    status: Mapped[str] = mapped_column(String(20))
    outcome: Mapped[str | None] = mapped_column(String(20))
    cycle: Mapped[int] = mapped_column(default=1)
    asked_times: Mapped[int] = mapped_column(default=0)
    event_count: Mapped[int] = mapped_column(default=0)

    opened_at: Mapped[datetime]
    due_at: Mapped[datetime]
    first_reply_at: Mapped[datetime | None]
    breached_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    urged_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]


class Visibility(StrEnum):
    PUBLIC = "public"
    """Requester, desk and (redacted) the public progress page."""
    PARTIES = "parties"
    """Requester and desk."""
    INTERNAL = "internal"
    """Desk only."""


class TicketEvent(Base):
    """One thing that happened to a ticket; never changed, never deleted."""

    __tablename__ = "ticket_events"
    __table_args__ = (UniqueConstraint("ticket_id", "seq"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    ticket_id: Mapped[int] = mapped_column(BigId, ForeignKey("tickets.id"))
    seq: Mapped[int]
    kind: Mapped[str] = mapped_column(String(32))
    action: Mapped[str | None] = mapped_column(String(24))
    """The state machine's action, when this event moved the status."""
    actor: Mapped[str] = mapped_column(String(16))
    user_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("users.id"))
    unit_code: Mapped[str | None] = mapped_column(Code)
    visibility: Mapped[str] = mapped_column(String(16))
    text: Mapped[str]
    data: Mapped[dict[str, Any]]
    at: Mapped[datetime]


class RoutingDecision(Base):
    """Why a ticket went where it went: inputs, rule, candidates with why not, and the sentence for the citizen."""

    __tablename__ = "routing_decisions"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    ticket_id: Mapped[int] = mapped_column(BigId, ForeignKey("tickets.id"), index=True)
    cause: Mapped[str] = mapped_column(String(24))
    rule: Mapped[str] = mapped_column(String(32))
    rule_version: Mapped[int]
    unit_code: Mapped[str] = mapped_column(Code)
    reason: Mapped[str]
    confidence: Mapped[float]
    inputs: Mapped[dict[str, Any]]
    candidates: Mapped[list[Any]]
    at: Mapped[datetime]


class Timer(Base):
    """One clock of a ticket: kind (``citizen72``), cycle, and how its due time was computed."""

    __tablename__ = "timers"
    __table_args__ = (
        UniqueConstraint("ticket_id", "cycle", "kind"),
        Index("ix_timers_running", "stopped_at", "breached_at", "due_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    ticket_id: Mapped[int] = mapped_column(BigId, ForeignKey("tickets.id"))
    cycle: Mapped[int]
    kind: Mapped[str] = mapped_column(String(16))
    unit_code: Mapped[str] = mapped_column(Code)
    policy: Mapped[str] = mapped_column(String(32))
    computed: Mapped[str]
    started_at: Mapped[datetime]
    due_at: Mapped[datetime]
    stopped_at: Mapped[datetime | None]
    breached_at: Mapped[datetime | None]


class NumberSeries(Base):
    """The last serial number given out for a prefix and day."""

    __tablename__ = "number_series"

    prefix: Mapped[str] = mapped_column(String(16), primary_key=True)
    last: Mapped[int]
