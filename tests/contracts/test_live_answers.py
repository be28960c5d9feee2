"""Answers arrive while the page is open: server-sent events over a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from bot.app import create_app
from bot.channels.webchat import COOKIE
from handlers import cadre
from tests.house import WAGES, XIAOLAN_UNION, House

SECONDS = 10


@asynccontextmanager
async def served(house: House) -> AsyncIterator[str]:
    """The house on a loopback port; its base URL. (httpx's ASGITransport hands out a response only when it is over.)"""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(house.process), lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        house.process.hub.close_streams()
        server.should_exit = True
        await serving
        listener.close()


class Visitor:
    """A browser with a page open; keeps its cookie by hand, since a Secure one is not sent over plain HTTP."""

    def __init__(self, base_url: str) -> None:
        self.client = httpx.AsyncClient(base_url=base_url, trust_env=False, timeout=SECONDS)
        self.headers: dict[str, str] = {}

    async def open(self) -> Visitor:
        page = await self.client.get("/")
        token = page.headers["set-cookie"].partition("=")[2].partition(";")[0]
        found = re.search(r'name="csrf" value="([^"]+)"', page.text)
        assert found is not None
        self.headers = {"Cookie": f"{COOKIE}={token}", "X-CSRF-Token": found.group(1)}
        return self

    async def say(self, text: str) -> str:
        body = {"text": text, "client_id": uuid.uuid4().hex}
        response = await self.client.post("/chat/messages", json=body, headers=self.headers)
        assert response.status_code == 200, response.text
        return "\n".join(message["text"] for message in response.json()["messages"])

    @asynccontextmanager
    async def listening(self, after: int = 0, **headers: str) -> AsyncIterator[asyncio.Queue[dict[str, Any]]]:
        """What the stream brings, message by message."""
        heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        begun = asyncio.Event()

        async def listen() -> None:
            url = f"/chat/events?after={after}"
            async with self.client.stream("GET", url, headers={**self.headers, **headers}) as stream:
                assert stream.headers["content-type"].startswith("text/event-stream")
                async for line in stream.aiter_lines():
                    begun.set()
                    if line.startswith("data: "):
                        heard.put_nowait(json.loads(line[6:]))

        task = asyncio.create_task(listen())
        try:
            await asyncio.wait_for(begun.wait(), SECONDS)
            yield heard
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def close(self) -> None:
        await self.client.aclose()


async def until(heard: asyncio.Queue[dict[str, Any]], words: str) -> dict[str, Any]:
    """The first message with these words; fails when none comes in time."""
    async with asyncio.timeout(SECONDS):
        while True:
            message = await heard.get()
            if words in message["text"]:
                return message


async def open_ticket(visitor: Visitor) -> str:
    await visitor.say("求助")
    await visitor.say(WAGES)
    await visitor.say("匿名")
    found = re.search(r"[A-Z]{2}\d{10,}", await visitor.say("确认"))
    assert found is not None
    return found.group()


async def test_a_cadres_answer_arrives_while_the_page_is_open_and_nowhere_else(house: House) -> None:
    async with served(house) as base_url:
        visitor, stranger = await Visitor(base_url).open(), await Visitor(base_url).open()
        await stranger.say("你好")
        number = await open_ticket(visitor)
        async with visitor.listening() as heard, stranger.listening() as elsewhere:
            await house.act(XIAOLAN_UNION, cadre.answer, number, "已联系厂方，周五前发放。")
            message = await until(heard, "已联系厂方，周五前发放。")
            assert (message["side"], message["author"]) == ("staff", "中山市小榄镇总工会")
            assert [button["title"] for button in message["buttons"]] == ["解决了", "部分解决", "没解决"]
            await stranger.say("谢谢")
            await until(elsewhere, "不客气")
            assert elsewhere.empty()
        await visitor.close()
        await stranger.close()


async def test_a_page_that_listened_before_the_first_word_hears_everything(house: House) -> None:
    async with served(house) as base_url:
        visitor = await Visitor(base_url).open()
        async with visitor.listening() as heard:
            number = await open_ticket(visitor)
            await until(heard, "已登记")
            await house.act(XIAOLAN_UNION, cadre.take, number)
            await until(heard, "受理")
        await visitor.close()


@pytest.mark.parametrize("way", ["query", "Last-Event-ID"])
async def test_a_page_that_comes_back_gets_what_it_missed_and_nothing_twice(small_house: House, way: str) -> None:
    async with served(small_house) as base_url:
        visitor = await Visitor(base_url).open()
        for text in ("你好", "菜单", "谢谢"):
            await visitor.say(text)
        after, headers = (4, {}) if way == "query" else (0, {"Last-Event-ID": "4"})
        async with visitor.listening(after, **headers) as heard:
            await visitor.say("再见")
            await until(heard, "再见。需要时")
        ids = [1, 2, 3, 4]
        async with visitor.listening(after, **headers) as heard:
            got = [(await asyncio.wait_for(heard.get(), SECONDS))["id"] for _ in range(4)]
        assert got == [5, 6, 7, 8]
        assert not set(got) & set(ids)
        await visitor.close()


@pytest.mark.parametrize("last", ["²", "-1", "x", "99999999999999999999", ""])
async def test_a_broken_place_to_resume_from_is_the_beginning(small_house: House, last: str) -> None:
    async with served(small_house) as base_url:
        visitor = await Visitor(base_url).open()
        await visitor.say("你好")
        raw: Any = {"Last-Event-ID": last.encode("latin-1")}
        async with visitor.listening(**raw) as heard:
            assert (await asyncio.wait_for(heard.get(), SECONDS))["id"] == 1
        await visitor.close()


async def test_streams_end_when_the_service_stops(small_house: House) -> None:
    async with asyncio.timeout(SECONDS):
        async with served(small_house) as base_url:
            visitor = await Visitor(base_url).open()
            async with visitor.listening():
                small_house.process.hub.close_streams()
        await visitor.close()
