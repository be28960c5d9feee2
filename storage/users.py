"""Users who sign in, and their sessions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.models import OrgUnitRow, User, UserSession


async def by_login(session: AsyncSession, login: str, *, for_update: bool = False) -> User | None:
    statement = select(User).where(User.login == login)
    if for_update:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return (await session.execute(statement)).scalar_one_or_none()


async def by_id(session: AsyncSession, user_id: int, *, for_update: bool = False) -> User | None:
    statement = select(User).where(User.id == user_id)
    if for_update:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return (await session.execute(statement)).scalar_one_or_none()


async def all_users(session: AsyncSession) -> Sequence[tuple[User, str | None]]:
    """Every user with the name of their unit."""
    rows = await session.execute(
        select(User, OrgUnitRow.name)
        .outerjoin(OrgUnitRow, OrgUnitRow.code == User.unit_code)
        .order_by(User.role, User.login)
    )
    return [(user, name) for user, name in rows]


async def active_per_unit(session: AsyncSession) -> dict[str, int]:
    """How many people can sign in for each unit; a unit without any is missing."""
    rows = await session.execute(
        select(User.unit_code, func.count()).where(User.is_active, User.unit_code.is_not(None)).group_by(User.unit_code)
    )
    return {code: number for code, number in rows if code is not None}


async def names(session: AsyncSession, ids: set[int]) -> dict[int, str]:
    if not ids:
        return {}
    rows = await session.execute(select(User.id, User.name).where(User.id.in_(ids)))
    return {row.id: row.name for row in rows}


async def signed_in(
    session: AsyncSession, token_hash: str, *, now: datetime
) -> tuple[User, UserSession, str | None] | None:
    """The user of a live session with the path of their unit; None when expired, signed out or disabled."""
    row = (
        await session.execute(
            select(User, UserSession, OrgUnitRow.path)
            .join(User, User.id == UserSession.user_id)
            .outerjoin(OrgUnitRow, OrgUnitRow.code == User.unit_code)
            .where(UserSession.token_hash == token_hash, UserSession.expires_at > now, User.is_active)
            .execution_options(populate_existing=True)
        )
    ).one_or_none()
    return None if row is None else (row[0], row[1], row[2])


async def sign_out(session: AsyncSession, token_hash: str) -> None:
    await session.execute(delete(UserSession).where(UserSession.token_hash == token_hash))


async def sign_out_everywhere(session: AsyncSession, user_id: int, *, but: str = "") -> None:
    """``but`` is the token hash of a session that stays."""
    await session.execute(delete(UserSession).where(UserSession.user_id == user_id, UserSession.token_hash != but))


async def forget_expired(session: AsyncSession, *, now: datetime) -> None:
    await session.execute(delete(UserSession).where(UserSession.expires_at <= now))
