"""Fixtures of the whole suite: the same tests run on SQLite without Redis and on PostgreSQL with Redis.

Ask for `backend` to run a test on both, for `database_url` to run it on both databases without Redis, for `sqlite_url`
where the database does not matter. Each test has a database of its own, already migrated: the schema is made once a
session and copied.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

from bot.app import Content
from tests.house import House, open_house, settings_for
from tests.records import check_records
from tests.servers import (
    PostgresServer,
    RedisServer,
    in_own_thread,
    running_postgres,
    running_redis,
    settle_sqlite,
    sqlite_url_of,
)

# A deadline per example measures how busy the machine is, not whether the code is right.
settings.register_profile("qingsheng", deadline=None, print_blob=True)
settings.load_profile("qingsheng")


@dataclass(frozen=True, slots=True)
class Backend:
    """Where one test's service keeps its data: ("sqlite", url, None) or ("postgresql", url, Redis url)."""

    name: str
    database_url: str
    redis_url: str | None


def _migrate(url: str) -> None:
    from storage.migrate import upgrade

    in_own_thread(lambda: upgrade(url))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL of our own, for the whole session."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis of our own, for the whole session."""
    with running_redis() as server:
        yield server


@pytest.fixture(scope="session")
def redis_url(redis_server: RedisServer) -> str:
    """The session's Redis, with whatever earlier tests left in it; most tests want `redis_client_url`."""
    return redis_server.url


@pytest.fixture
def redis_client_url(redis_server: RedisServer) -> str:
    """The session's Redis, emptied for this test."""
    redis_server.empty()
    return redis_server.url


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """The name of a migrated database that is only ever copied."""
    name = "qingsheng_template"
    postgres_server.create(name)
    _migrate(postgres_server.url(name))
    return name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file that is only ever copied."""
    path = tmp_path_factory.mktemp("template") / "q.sqlite3"
    _migrate(sqlite_url_of(path))
    settle_sqlite(path)
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated SQLite file of this test's own."""
    path = tmp_path / "q.sqlite3"
    shutil.copyfile(sqlite_template, path)
    return sqlite_url_of(path)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, postgres_template: str) -> Iterator[str]:
    """A migrated PostgreSQL database of this test's own, dropped afterwards."""
    name = f"test_{uuid.uuid4().hex}"
    postgres_server.create(name, template=postgres_template)
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of this test's own, on each kind in turn."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
def backend(request: pytest.FixtureRequest, database_url: str) -> Backend:
    """SQLite without Redis, then PostgreSQL with Redis: the two ways the service is run."""
    if database_url.startswith("sqlite"):
        return Backend("sqlite", database_url, None)
    return Backend("postgresql", database_url, request.getfixturevalue("redis_client_url"))


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the trained models of this session are kept; the first test that needs them trains them."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def content() -> Content:
    return Content.read()


@pytest.fixture
async def house(backend: Backend, content: Content, models: Path, tmp_path: Path) -> AsyncIterator[House]:
    """The whole service, on SQLite without Redis and on PostgreSQL with Redis; its records are checked at the end."""
    settings = settings_for(tmp_path / "data", backend.database_url, backend.redis_url)
    async with open_house(settings, content, models=models) as opened:
        yield opened
        await check_records(opened.process.database)


@pytest.fixture
async def small_house(sqlite_url: str, content: Content, models: Path, tmp_path: Path) -> AsyncIterator[House]:
    """The whole service on SQLite, where the database does not matter."""
    async with open_house(settings_for(tmp_path / "data", sqlite_url, None), content, models=models) as opened:
        yield opened
        await check_records(opened.process.database)
