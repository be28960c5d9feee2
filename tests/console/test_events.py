"""Open pages: they ring when something changed, and fall silent when their reader may not listen any more."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from console import events
from handlers import accounts
from tests.console.conftest import CITY, COOKIE, OTHER, TOWN, Browser, Desk


@dataclass(slots=True)
class Stream:
    """What a page's EventSource has received; httpx's ASGI transport would hold it back until the end."""

    status: int = 0
    text: str = ""
    has_ended: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def events(self) -> list[tuple[str, dict[str, Any]]]:
        blocks = [block.split("\n") for block in self.text.split("\n\n") if block.startswith("event: ")]
        return [(block[0][7:], json.loads(block[1][6:])) for block in blocks]

    async def until(self, holds: Callable[[Stream], bool], seconds: float = 5.0) -> None:
        async with asyncio.timeout(seconds):
            while not holds(self):
                self.news.clear()
                await self.news.wait()


@asynccontextmanager
async def listening(desk: Desk, browser: Browser, path: str) -> AsyncIterator[Stream]:
    stream, gone = Stream(), asyncio.Event()
    token = browser.client.cookies.get(COOKIE, "")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "https",
        "path": path, "raw_path": path.encode(), "root_path": "", "query_string": b"", "server": ("testserver", 443),
        "client": ("127.0.0.1", 5), "headers": [(b"host", b"testserver"), (b"cookie", f"{COOKIE}={token}".encode())],
    }  # fmt: skip
    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        stream.status = message.get("status", stream.status)
        stream.text += message.get("body", b"").decode()
        stream.news.set()

    async def run() -> None:
        await desk.app(scope, receive, send)
        stream.has_ended = True
        stream.news.set()

    task = asyncio.create_task(run())
    try:
        yield stream
    finally:
        gone.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(task, 5)
        assert task.done()


async def test_the_list_rings_for_its_subtree_only(desk: Desk) -> None:
    town, city, other, admin = (
        await desk.cadre(TOWN),
        await desk.cadre(CITY),
        await desk.cadre(OTHER),
        await desk.admin(),
    )
    path = "/console/events"
    async with (
        listening(desk, town, path) as at_town,
        listening(desk, city, path) as at_city,
        listening(desk, other, path) as elsewhere,
        listening(desk, admin, path) as everywhere,
    ):
        for stream in (at_town, at_city, elsewhere, everywhere):
            await stream.until(lambda stream: len(stream.events) == 1)
        await desk.ticket(TOWN)
        for stream in (at_town, at_city, everywhere):
            await stream.until(lambda stream: len(stream.events) == 2)
            assert stream.events[1][0] == "changed"
            assert stream.events[1][1]["counts"]["open"] == 1
        await asyncio.sleep(0.6)
        assert len(elsewhere.events) == 1


async def test_a_restricted_ticket_rings_its_own_unit_only(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    number = await desk.ticket(TOWN, sensitivity="restricted")
    town, city = await desk.cadre(TOWN), await desk.cadre(CITY)
    async with listening(desk, town, "/console/events") as own, listening(desk, city, "/console/events") as above:
        await own.until(lambda stream: bool(stream.events))
        await above.until(lambda stream: bool(stream.events))
        await town.post(f"/console/tickets/{number}/take")
        await own.until(lambda stream: len(stream.events) == 2)
        await asyncio.sleep(0.6)
        assert len(above.events) == 1
        assert above.events[0][1]["counts"]["all"] == 0


async def test_a_ticket_rings_its_own_pages_and_tells_no_words(desk: Desk) -> None:
    number = await desk.ticket(TOWN)
    town = await desk.cadre(TOWN)
    async with listening(desk, town, f"/console/tickets/{number}/events") as stream:
        await stream.until(lambda stream: len(stream.events) == 1)
        await town.post(f"/console/tickets/{number}/note", {"text": "只有工作台看得到"})
        await stream.until(lambda stream: len(stream.events) == 2)
        assert "只有" not in stream.text
        assert f'data-stamp="{stream.events[1][1]["stamp"]}"' in (await town.get(f"/console/tickets/{number}")).text


async def test_streams_are_guarded_like_their_pages(desk: Desk) -> None:
    number = await desk.ticket(TOWN)
    for browser, path, status in (
        (await desk.cadre(OTHER), f"/console/tickets/{number}/events", 404),
        (await desk.cadre(TOWN), "/console/tickets/GD2611249999/events", 404),
        (await desk.stranger(), "/console/events", 401),
        (await desk.stranger(), f"/console/tickets/{number}/events", 401),
    ):
        async with listening(desk, browser, path) as stream:
            await stream.until(lambda stream: stream.has_ended)
            assert stream.status == status


@pytest.mark.parametrize("path", ["/console/events", "/console/tickets/{number}/events"])
async def test_a_disabled_users_stream_ends_within_five_seconds(desk: Desk, path: str) -> None:
    number = await desk.ticket(TOWN)
    town = await desk.cadre(TOWN)
    async with listening(desk, town, path.format(number=number)) as stream:
        await stream.until(lambda stream: bool(stream.events))
        async with desk.house.process.database.transaction() as session:
            await accounts.set_active(session, f"cadre.{TOWN}", False)
        began = time.monotonic()
        await stream.until(lambda stream: stream.has_ended)
        assert time.monotonic() - began < 5
        assert stream.events[-1][0] == "signed_out"


async def test_a_ticket_that_is_transferred_away_ends_its_stream(desk: Desk) -> None:
    number = await desk.ticket(TOWN)
    town = await desk.cadre(TOWN)
    async with listening(desk, town, f"/console/tickets/{number}/events") as stream:
        await stream.until(lambda stream: bool(stream.events))
        await town.post(f"/console/tickets/{number}/transfer", {"text": "属市里", "target": CITY})
        await stream.until(lambda stream: stream.has_ended)
        assert stream.events[-1][0] == "gone"


async def test_a_quiet_stream_is_kept_alive_and_finds_what_nobody_rang_for(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr(events, "CHECK_SECONDS", 0.1)
    town = await desk.cadre(TOWN)
    async with listening(desk, town, "/console/events") as stream:
        await stream.until(lambda stream: "\n: " in stream.text)
        monkeypatch.setattr(desk.house.process.hub, "publish", lambda topics: None)
        await desk.ticket(TOWN)
        await stream.until(lambda stream: len(stream.events) == 2)


async def test_streams_end_when_the_server_stops(desk: Desk) -> None:
    town = await desk.cadre(TOWN)
    async with listening(desk, town, "/console/events") as stream:
        await stream.until(lambda stream: bool(stream.events))
        desk.house.process.hub.close_streams()
        await stream.until(lambda stream: stream.has_ended, seconds=1)
