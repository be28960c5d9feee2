"""Bringing a database to the newest schema."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from config.settings import ROOT
from storage.session import Database

if TYPE_CHECKING:
    from alembic.config import Config

VERSIONS = ROOT / "migrations" / "versions"


def _config(url: str) -> Config:
    # Imported only when there is something to migrate: it costs a third of a second of every start.
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations").replace("%", "%%"))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def upgrade(url: str) -> None:
    """Migrate the database at ``url``; does nothing when it is up to date. Runs its own event loop."""
    from alembic import command

    command.upgrade(_config(url), "head")


def head(versions: Path = VERSIONS) -> str:
    """The newest revision that this code knows: revisions are numbered, and files begin with their number."""
    return max(path.name.partition("_")[0] for path in versions.glob("[0-9]*_*.py"))


class SchemaTooNew(Exception):
    """A newer version of the service migrated this database. Its message says what to do."""


async def is_outdated(database: Database) -> bool:
    """Whether there is something to migrate. Raises SchemaTooNew."""
    found, newest = await current(database), head()
    if found is not None and found > newest:
        raise SchemaTooNew(
            f"the database has schema {found}, this version knows {newest}: run the newer version, or restore a backup"
        )
    return found != newest


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
