"""Organisations as the desk scopes them, and the people who sign in."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from storage.models.base import Base, BigId, Code


class OrgUnitRow(Base):
    """A unit of the organisation tree; ``path`` ("cn/gd/gd-zs") makes "my subtree" one comparison."""

    __tablename__ = "org_units"

    code: Mapped[str] = mapped_column(Code, primary_key=True)
    parent: Mapped[str | None] = mapped_column(Code)
    path: Mapped[str] = mapped_column(String(512), index=True)
    name: Mapped[str]
    kind: Mapped[str] = mapped_column(String(32))
    is_active: Mapped[bool]


class Role(StrEnum):
    CADRE = "cadre"
    ADMIN = "admin"


class User(Base):
    """Somebody who signs in: a cadre of a unit, or an admin (no unit, no ticket of a person's private life)."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    login: Mapped[str] = mapped_column(String(128), unique=True)
    name: Mapped[str]
    role: Mapped[str] = mapped_column(String(16))
    unit_code: Mapped[str | None] = mapped_column(Code, ForeignKey("org_units.code"), index=True)
    password_hash: Mapped[str]
    totp_sealed: Mapped[str | None]
    """The one-time-code secret under AES-256-GCM (handlers/sealing.py); None: signs in by password alone."""
    totp_used_step: Mapped[int | None]
    """The newest 30-second step whose code was used: it and earlier ones are refused."""
    locale: Mapped[str] = mapped_column(String(8), default="zh_CN")
    is_active: Mapped[bool] = mapped_column(default=True)
    is_demo: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]


class UserSession(Base):
    """A signed-in browser. Only the SHA-256 of the cookie's token is kept."""

    __tablename__ = "user_sessions"
    __table_args__ = (Index("ix_user_sessions_expires_at", "expires_at"),)

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(BigId, ForeignKey("users.id"), index=True)
    csrf: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
