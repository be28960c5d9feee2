"""What a transaction promises: durable when it returns, nothing when it fails, refused when too many wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError, StatementError

from storage.live import Hub
from storage.models import InboundMessage, Person
from storage.session import Database, NotDurable, Overloaded, announce
from tests.contracts.problems import problem
from tests.house import START, House
from tests.servers import PostgresServer


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url, Hub())
    yield opened
    await opened.close()


@pytest.fixture
async def sqlite(sqlite_url: str) -> AsyncIterator[Database]:
    opened = Database(sqlite_url, Hub())
    yield opened
    await opened.close()


async def people(database: Database) -> list[datetime]:
    async with database.reading() as session:
        return list((await session.execute(select(Person.created_at).order_by(Person.id))).scalars())


# ── durable ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_sqlite_commits_survive_a_power_loss(sqlite: Database) -> None:
    await sqlite.check_durability()
    async with sqlite.transaction() as session:
        pragmas = {
            name: (await session.execute(text(f"PRAGMA {name}"))).scalar_one()
            for name in ("synchronous", "journal_mode", "foreign_keys", "recursive_triggers")
        }
    assert pragmas == {"synchronous": 2, "journal_mode": "wal", "foreign_keys": 1, "recursive_triggers": 1}


@pytest.mark.parametrize(
    ("pragma", "said"), [("synchronous=NORMAL", "synchronous=1"), ("journal_mode=DELETE", "journal_mode=delete")]
)
async def test_sqlite_that_may_forget_is_refused(sqlite: Database, pragma: str, said: str) -> None:
    async with sqlite.writer.connect() as connection:
        await connection.execute(text("SELECT 1"))
        await connection.exec_driver_sql("COMMIT")  # inside a transaction a pragma has no effect
        await connection.exec_driver_sql(f"PRAGMA {pragma}")
        await connection.exec_driver_sql("BEGIN")
    with pytest.raises(NotDurable, match=said):
        await sqlite.check_durability()


async def test_postgresql_as_installed_is_durable(postgres_url: str) -> None:
    database = Database(postgres_url, Hub())
    await database.check_durability()
    await database.close()


async def test_postgresql_that_does_not_wait_for_its_log_is_refused(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    name = postgres_url.rpartition("/")[2]
    postgres_server.execute(f'ALTER DATABASE "{name}" SET synchronous_commit=off')
    database = Database(postgres_url, Hub())
    with pytest.raises(NotDurable, match="synchronous_commit=off"):
        await database.check_durability()
    await database.close()
    postgres_server.execute(f'ALTER DATABASE "{name}" RESET synchronous_commit')
    database = Database(postgres_url, Hub())
    await database.check_durability()
    await database.close()


async def test_postgresql_without_fsync_is_refused(postgres_server: PostgresServer, postgres_url: str) -> None:
    async def shown() -> str:
        database = Database(postgres_url, Hub())
        try:
            async with database.reading() as session:
                return str((await session.execute(text("SHOW fsync"))).scalar_one())
        finally:
            await database.close()

    async def switch(wanted: str, statement: str) -> None:
        postgres_server.execute(statement)
        postgres_server.execute("SELECT pg_reload_conf()")
        async with asyncio.timeout(10):
            while await shown() != wanted:  # noqa: ASYNC110 - another process changes it
                await asyncio.sleep(0.05)

    database = Database(postgres_url, Hub())
    await switch("off", "ALTER SYSTEM SET fsync = off")
    try:
        with pytest.raises(NotDurable, match="fsync=off"):
            await database.check_durability()
    finally:
        await switch("on", "ALTER SYSTEM RESET fsync")
    await database.check_durability()
    await database.close()


# ── all or nothing ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_is_committed_is_there(database: Database) -> None:
    async with database.transaction() as session:
        session.add(Person(created_at=START))
    assert await people(database) == [START]


async def test_a_failure_leaves_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as session:
            session.add(Person(created_at=START))
            await session.flush()
            raise ZeroDivisionError
    assert await people(database) == []


async def test_a_cancelled_transaction_leaves_nothing_and_blocks_nobody(database: Database) -> None:
    begun = asyncio.Event()

    async def interrupted() -> None:
        async with database.transaction() as session:
            session.add(Person(created_at=START))
            await session.flush()
            begun.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(interrupted())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(5), database.transaction() as session:
        session.add(Person(created_at=START))
    assert len(await people(database)) == 1


async def test_news_are_told_after_the_commit_and_only_then(database: Database) -> None:
    with database.hub.subscribe("topic") as bell:
        with pytest.raises(ZeroDivisionError):
            async with database.transaction() as session:
                announce(session, "topic")
                raise ZeroDivisionError
        assert await bell.wait(0.05) == frozenset()
        async with database.transaction() as session:
            announce(session, "topic")
            assert not bell.bell.is_set()
        assert await bell.wait(1) == {"topic"}


async def test_a_reading_session_sees_only_what_is_committed(database: Database) -> None:
    async with database.transaction() as session:
        session.add(Person(created_at=START))
        await session.flush()
        assert await people(database) == []


async def test_a_reading_session_cannot_write_on_sqlite(sqlite: Database) -> None:
    async with sqlite.reading() as session:
        session.add(Person(created_at=START))
        with pytest.raises(OperationalError, match="readonly"):
            await session.flush()


async def test_a_time_without_a_zone_is_never_stored(database: Database) -> None:
    with pytest.raises(StatementError, match="naive datetime"):
        async with database.transaction() as session:
            session.add(Person(created_at=datetime(2026, 11, 24)))  # noqa: DTZ001 - that is the point
    assert await people(database) == []


# ── too many at once ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_who_would_wait_too_long_is_refused_at_once_and_the_others_are_served(sqlite: Database) -> None:
    async def slow() -> None:
        async with sqlite.transaction() as session:
            session.add(Person(created_at=START))
            await asyncio.sleep(0.25)

    async def quick() -> str:
        try:
            async with sqlite.transaction() as session:
                session.add(Person(created_at=START))
        except Overloaded:
            return "refused"
        return "served"

    for _ in range(3):  # the queue learns how long a transaction takes
        await slow()
    outcomes = await asyncio.gather(slow(), *(quick() for _ in range(400)))
    refused = outcomes.count("refused")
    assert 0 < refused < 400
    assert len(await people(sqlite)) == 4 + 400 - refused
    assert await quick() == "served", "afterwards everything is as before"


async def test_an_overloaded_service_says_so_and_loses_nothing(small_house: House) -> None:
    database = small_house.process.database
    chat = small_house.chat("somebody")
    for _ in range(2):
        async with database.transaction():
            await asyncio.sleep(0.5)
    async with database.transaction():
        # Different people: messages of one person wait for each other before they ask for the writer.
        bodies = [{"sender": f"person-{nth}", "message": "谢谢"} for nth in range(200)]
        asking = [asyncio.create_task(small_house.client.post("/webhooks/rest/webhook", json=body)) for body in bodies]
        await asyncio.sleep(0.5)
    answers = await asyncio.gather(*asking)
    served = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code != 200]
    assert served
    assert refused
    for answer in refused:
        problem(answer, 503, "error_busy")
        assert int(answer.headers["retry-after"]) >= 1
    async with database.reading() as session:
        stored = (await session.execute(select(func.count()).select_from(InboundMessage))).scalar_one()
    assert stored == len(served), "acknowledged and stored are the same"
    assert await chat.say("谢谢")


def test_the_file_of_a_new_database_gets_its_folder(tmp_path: Path) -> None:
    Database(f"sqlite+aiosqlite:///{tmp_path}/a/b/q.sqlite3", Hub())
    assert (tmp_path / "a" / "b").is_dir()
