"""What the service did not understand, for those who teach it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.models import InboundMessage, Miss


@dataclass(frozen=True, slots=True)
class MissShown:
    """One miss with the words that were not understood (None when they were not kept)."""

    id: int
    kind: str
    text: str | None
    nearest: tuple[Any, ...]
    at: datetime


async def newest(session: AsyncSession, *, offset: int = 0, limit: int = 50) -> list[MissShown]:
    rows = await session.execute(
        select(Miss, InboundMessage.text)
        .outerjoin(InboundMessage, InboundMessage.id == Miss.inbound_id)
        .order_by(Miss.at.desc(), Miss.id.desc())
        .offset(offset)
        .limit(limit)
    )
    return [MissShown(miss.id, miss.kind, text, tuple(miss.nearest), miss.at) for miss, text in rows]


async def count(session: AsyncSession) -> int:
    return (await session.execute(select(func.count()).select_from(Miss))).scalar_one()
