"""The database goes away and comes back: the service stays up, says so, keeps what it acknowledged and recovers."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from sqlalchemy.engine import make_url

from bot.app import Content, Process, build_process, create_app
from tests.contracts.problems import problem
from tests.house import Chat, Clock, settings_for, trained_services
from tests.servers import LOOPBACK, PostgresServer, free_port

SECONDS = 15
HELLO = {"sender": "somebody", "message": "谢谢"}


@dataclass(slots=True)
class Wire:
    """The network between the service and its database; can be cut and mended."""

    target: int
    port: int = field(default_factory=free_port)
    server: asyncio.Server | None = None
    lines: set[asyncio.StreamWriter] = field(default_factory=set)

    async def mend(self) -> None:
        self.server = await asyncio.start_server(self._carry, LOOPBACK, self.port)

    async def cut(self) -> None:
        assert self.server is not None
        self.server.close()
        for line in tuple(self.lines):
            line.transport.abort()
        await asyncio.sleep(0.05)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(LOOPBACK, self.target)
        self.lines |= {writer, back}

        async def pump(source: asyncio.StreamReader, drain: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while data := await source.read(65536):
                    drain.write(data)
                    await drain.drain()
            drain.close()

        await asyncio.gather(pump(reader, back), pump(there, writer))
        self.lines -= {writer, back}


@pytest.fixture
async def wire(postgres_server: PostgresServer) -> AsyncIterator[Wire]:
    made = Wire(postgres_server.port)
    yield made
    if made.server is not None:
        await made.cut()


Start = Callable[[str], contextlib.AbstractAsyncContextManager[tuple[Process, httpx.AsyncClient]]]


@pytest.fixture
def start(content: Content, models: Path, tmp_path: Path) -> Start:
    """Start the service on a database URL, whether or not there is a database."""

    @asynccontextmanager
    async def started(url: str) -> AsyncIterator[tuple[Process, httpx.AsyncClient]]:
        settings = settings_for(tmp_path / "data", url, None)
        services = trained_services(settings, content, models, Clock())
        process = build_process(settings, services=services, content=content)
        tasks = await process.start()
        transport = httpx.ASGITransport(create_app(process), raise_app_exceptions=False)
        try:
            async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as client:
                yield process, client
        finally:
            await process.stop(tasks)

    return started


async def until_ready(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(SECONDS):
        while (await client.get("/readyz")).status_code != 200:  # noqa: ASYNC110 - only the address tells
            await asyncio.sleep(0.05)


async def assert_away(client: httpx.AsyncClient) -> None:
    """Alive, not ready, and every question is answered with one sentence."""
    assert (await client.get("/healthz")).status_code == 200
    assert (await client.get("/readyz")).status_code == 503
    refused = await client.post("/webhooks/rest/webhook", json=HELLO)
    problem(refused, 503)
    assert int(refused.headers["retry-after"]) >= 1
    page = await client.get("/", headers={"Accept": "text/html"})
    assert page.status_code == 503
    assert page.headers["content-type"].startswith("text/html")


def through(wire: Wire, url: str) -> str:
    return make_url(url).set(port=wire.port).render_as_string(hide_password=False)


async def test_a_database_that_is_away_at_the_start_is_waited_for(wire: Wire, postgres_url: str, start: Start) -> None:
    async with start(through(wire, postgres_url)) as (process, client):
        await asyncio.sleep(0.3)
        await assert_away(client)
        assert "cannot be reached" in process.failure
        await wire.mend()
        await until_ready(client)
        assert (await client.post("/webhooks/rest/webhook", json=HELLO)).status_code == 200


async def test_a_database_that_is_not_made_yet_is_waited_for(
    postgres_server: PostgresServer, postgres_template: str, start: Start
) -> None:
    name = "made_later"
    postgres_server.drop(name)
    async with start(postgres_server.url(name)) as (_, client):
        await asyncio.sleep(0.3)
        await assert_away(client)
        postgres_server.create(name, template=postgres_template)
        await until_ready(client)
        assert (await client.post("/webhooks/rest/webhook", json=HELLO)).status_code == 200
    postgres_server.drop(name)


async def test_an_empty_database_is_migrated_at_the_start(postgres_server: PostgresServer, start: Start) -> None:
    name = "empty_at_start"
    postgres_server.create(name)
    async with start(postgres_server.url(name)) as (_, client):
        await until_ready(client)
        assert (await client.post("/webhooks/rest/webhook", json=HELLO)).status_code == 200
    postgres_server.drop(name)


async def test_a_database_that_may_forget_is_not_served_until_it_is_mended(
    postgres_server: PostgresServer, postgres_url: str, start: Start
) -> None:
    name = postgres_url.rpartition("/")[2]
    postgres_server.execute(f'ALTER DATABASE "{name}" SET synchronous_commit=off')
    async with start(postgres_url) as (process, client):
        await asyncio.sleep(0.5)
        assert "synchronous_commit=off" in process.failure
        assert (await client.get("/readyz")).status_code == 503
        problem(await client.post("/webhooks/rest/webhook", json=HELLO), 503)
        postgres_server.execute(f'ALTER DATABASE "{name}" RESET synchronous_commit')
        await until_ready(client)


async def test_a_database_that_vanishes_is_told_and_found_again(wire: Wire, postgres_url: str, start: Start) -> None:
    await wire.mend()
    async with start(through(wire, postgres_url)) as (_, client):
        await until_ready(client)
        chat = Chat(client, "somebody")
        first = await chat.send("谢谢", message_id="m-1")
        await wire.cut()
        for nth in range(12):  # more than the pool holds: no connection of it may be left broken
            body = {**HELLO, "metadata": {"message_id": f"lost-{nth}"}}
            problem(await client.post("/webhooks/rest/webhook", json=body), 503)
        await assert_away(client)
        await wire.mend()
        await until_ready(client)
        assert await chat.send("谢谢", message_id="m-1") == first, "what was acknowledged is there"
        assert await chat.say("查进度"), "and everything works"


async def test_a_postgresql_that_ends_our_connections_is_survived(
    postgres_server: PostgresServer, postgres_url: str, start: Start
) -> None:
    name = postgres_url.rpartition("/")[2]
    async with start(postgres_url) as (_, client):
        await until_ready(client)
        for _ in range(3):
            postgres_server.execute(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"  # noqa: S608
            )
            answers = [await client.post("/webhooks/rest/webhook", json=HELLO) for _ in range(3)]
            for answer in answers:
                if answer.status_code != 200:
                    problem(answer, 503)
            assert answers[-1].status_code == 200


async def test_a_file_that_cannot_be_opened_is_waited_for(tmp_path: Path, start: Start) -> None:
    path = tmp_path / "q.sqlite3"
    path.mkdir()
    async with start(f"sqlite+aiosqlite:///{path}") as (_, client):
        await asyncio.sleep(0.3)
        await assert_away(client)
        path.rmdir()
        await until_ready(client)
        assert (await client.post("/webhooks/rest/webhook", json=HELLO)).status_code == 200


async def test_a_file_that_is_no_database_is_told_and_left_alone(tmp_path: Path, start: Start) -> None:
    path = tmp_path / "q.sqlite3"
    path.write_bytes(b"this is somebody's diary\n" * 100)
    before = path.read_bytes()
    async with start(f"sqlite+aiosqlite:///{path}") as (process, client):
        await asyncio.sleep(0.5)
        await assert_away(client)
        assert process.failure
    assert path.read_bytes() == before


async def test_a_schema_of_a_newer_version_is_told_and_left_alone(sqlite_url: str, start: Start) -> None:
    path = make_url(sqlite_url).database
    assert path is not None
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    async with start(sqlite_url) as (process, client):
        await asyncio.sleep(0.8)
        await assert_away(client)
        assert process.failure, "an operator has to be told why"


async def test_a_locked_file_makes_writers_wait_and_never_lie(sqlite_url: str, start: Start) -> None:
    path = make_url(sqlite_url).database
    assert path is not None
    async with start(sqlite_url) as (_, client):
        await until_ready(client)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            asking = asyncio.create_task(client.post("/webhooks/rest/webhook", json=HELLO))
            await asyncio.sleep(0.5)
            assert not asking.done()
            other.execute("COMMIT")
        assert (await asking).status_code == 200
