"""``INSERT … ON CONFLICT`` for the session's database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncSession

from storage.locks import is_postgresql
from storage.models import Base

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql import Insert


def insert_into(session: AsyncSession, table: type[Base]) -> Insert:
    """An insert that knows ``on_conflict_do_nothing`` and ``on_conflict_do_update``; both dialects spell them alike.

    Only the dialect in use is imported: PostgreSQL's costs every start on SQLite a tenth of a second.
    """
    insert: Any
    if is_postgresql(session):
        from sqlalchemy.dialects.postgresql import insert
    else:
        from sqlalchemy.dialects.sqlite import insert
    statement: Insert = insert(table.__table__)
    return statement
