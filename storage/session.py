"""The database: one writing transaction at a time on SQLite, the only commit, and read-only sessions beside it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from config import failpoints
from storage.live import Hub

MAX_WAIT_SECONDS = 3.0
POOL_SIZE = 10
READERS = 4
CONNECTION_LOST = (OperationalError, InterfaceError, OSError)


class Overloaded(Exception):
    """Too many transactions wait already: whoever asks now would wait longer than three seconds."""


class NotDurable(Exception):
    """The database may lose what it acknowledged. Its message says which setting to change."""


def announce(session: AsyncSession, *topics: str) -> None:
    """Ring these topics once this transaction is committed; never if it is rolled back."""
    session.info.setdefault("topics", set()).update(topics)


class Database:
    """Engines of one database URL (``sqlite+aiosqlite:///…`` or ``postgresql+asyncpg://…``)."""

    def __init__(self, url: str, hub: Hub) -> None:
        self.url, self.hub = url, hub
        self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
        # SQLite has one writer: a second connection would only collect "database is locked".
        self._slots = asyncio.Semaphore(1 if self.is_sqlite else POOL_SIZE)
        self._slot_count = 1 if self.is_sqlite else POOL_SIZE
        self._waiting = 0
        self._typical_seconds = 0.005
        # hide_parameters: an error's text ends in the log, and parameters are what people wrote.
        if self.is_sqlite:
            path = make_url(url).database
            if path:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
            self.writer = create_async_engine(url, pool_size=1, max_overflow=0, hide_parameters=True)
            self.reader = create_async_engine(url, pool_size=READERS, max_overflow=0, hide_parameters=True)
            _prepare_sqlite(self.writer, begin="BEGIN IMMEDIATE", read_only=False)
            _prepare_sqlite(self.reader, begin="BEGIN", read_only=True)
        else:
            self.writer = create_async_engine(
                url, pool_size=POOL_SIZE, max_overflow=2, pool_pre_ping=True, hide_parameters=True
            )
            self.reader = self.writer

    async def check_durability(self) -> None:
        """Read back what makes a commit survive a power loss. Raises NotDurable."""
        try:
            await self._read_durability()
        except NotDurable:
            # Settings are read when a connection begins: the next look must not meet this one again.
            await self.close()
            raise

    async def _read_durability(self) -> None:
        async with self.writer.connect() as connection:
            if self.is_sqlite:
                synchronous = (await connection.execute(text("PRAGMA synchronous"))).scalar_one()
                journal = (await connection.execute(text("PRAGMA journal_mode"))).scalar_one()
                if synchronous != 2 or journal != "wal":
                    raise NotDurable(
                        f"SQLite runs with synchronous={synchronous}, journal_mode={journal}; need 2 and wal"
                    )
                return
            for name in ("fsync", "synchronous_commit"):
                if (await connection.execute(text(f"SHOW {name}"))).scalar_one() == "off":
                    raise NotDurable(
                        f"PostgreSQL runs with {name}=off: acknowledged messages could be lost; switch it on"
                    )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """One writing transaction: committed on leaving, rolled back on any exception.

        Raises Overloaded at once when the queue is too long.
        """
        if self._waiting * self._typical_seconds / self._slot_count > MAX_WAIT_SECONDS:
            raise Overloaded
        self._waiting += 1
        try:
            async with self._slots:
                started = time.monotonic()
                async with AsyncSession(self.writer, expire_on_commit=False, autoflush=False) as session:
                    async with session.begin():
                        yield session
                        await session.flush()
                        failpoints.hit("before_commit")
                    failpoints.hit("after_commit")
                    topics = session.info.get("topics")
                self._typical_seconds += 0.05 * (time.monotonic() - started - self._typical_seconds)
        finally:
            self._waiting -= 1
        if topics:
            self.hub.publish(topics)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session for looking only; on SQLite the connection refuses writes and never waits for the writer."""
        async with AsyncSession(self.reader, expire_on_commit=False, autoflush=False) as session:
            yield session

    async def is_reachable(self) -> bool:
        try:
            async with asyncio.timeout(2), self.reader.connect() as connection:
                await connection.execute(text("SELECT 1"))
        except (*CONNECTION_LOST, DBAPIError, TimeoutError):
            return False
        return True

    async def close(self) -> None:
        await self.writer.dispose()
        if self.reader is not self.writer:
            await self.reader.dispose()


def _prepare_sqlite(engine: AsyncEngine, *, begin: str, read_only: bool) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def _on_connect(dbapi_connection: Any, _record: object) -> None:
        # The driver's own transaction handling begins too late; we send BEGIN ourselves.
        dbapi_connection.isolation_level = None
        cursor = dbapi_connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "recursive_triggers=ON",
            "busy_timeout=5000",
            *(("query_only=ON",) if read_only else ()),
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _on_begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)
