"""The organisation tree as the database keeps it, for scoping."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql import ColumnElement

from storage.models import OrgUnitRow


def in_subtree(path: str) -> ColumnElement[bool]:
    """Units at or below the unit with this path."""
    return (OrgUnitRow.path == path) | OrgUnitRow.path.startswith(f"{path}/", autoescape=True)


async def by_code(session: AsyncSession, code: str) -> OrgUnitRow | None:
    return await session.get(OrgUnitRow, code)


async def names(session: AsyncSession) -> dict[str, str]:
    rows = await session.execute(select(OrgUnitRow.code, OrgUnitRow.name))
    return {row.code: row.name for row in rows}


async def synchronise(session: AsyncSession, units: Iterable[OrgUnitRow]) -> int:
    """Bring the stored tree to these units; units that are gone become inactive. Returns how many rows changed."""
    stored = {row.code: row for row in (await session.execute(select(OrgUnitRow))).scalars()}
    changed = 0
    wanted = {unit.code: unit for unit in units}
    for code, unit in wanted.items():
        row = stored.get(code)
        if row is None:
            session.add(unit)
            changed += 1
            continue
        for field in ("parent", "path", "name", "kind", "is_active"):
            if getattr(row, field) != getattr(unit, field):
                setattr(row, field, getattr(unit, field))
                changed += 1
    for code, row in stored.items():
        if code not in wanted and row.is_active:
            row.is_active = False
            changed += 1
    return changed
