"""Bringing a database to the newest schema."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from config.settings import ROOT
from storage.session import Database


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations").replace("%", "%%"))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def upgrade(url: str) -> None:
    """Migrate the database at ``url``; does nothing when it is up to date. Runs its own event loop."""
    command.upgrade(_config(url), "head")


def head() -> str:
    """The newest revision that this code knows."""
    return ScriptDirectory(str(ROOT / "migrations")).get_current_head() or ""


async def current(database: Database) -> str | None:
    """The revision that the database is at, or None for an empty one."""

    async def read(connection: AsyncConnection) -> str | None:
        return (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar_one_or_none()

    try:
        async with database.reader.connect() as connection:
            return await read(connection)
    except DBAPIError as error:
        if "alembic_version" in str(error.orig):
            return None
        raise
