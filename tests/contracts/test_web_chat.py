"""The web chat's contract with browsers: one cookie, one form secret, each message once, nobody else's words."""

from __future__ import annotations

import asyncio
import hashlib
import html
import re
import uuid
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from bot.app import create_app
from bot.channels.webchat import COOKIE
from storage.models import Conversation, InboundMessage, Ticket
from tests.contracts.problems import problem
from tests.house import WAGES, House


@dataclass(slots=True)
class Browser:
    """One visitor: cookies of their own, and the form secret of the page they have open."""

    client: httpx.AsyncClient
    csrf: str = ""

    @classmethod
    async def open(cls, house: House, **headers: str) -> Browser:
        transport = httpx.ASGITransport(create_app(house.process), client=("127.0.0.1", 50001))
        browser = cls(httpx.AsyncClient(transport=transport, base_url="https://testserver", headers=headers))
        await browser.page()
        return browser

    async def page(self) -> str:
        response = await self.client.get("/", headers={"Accept": "text/html"})
        assert response.status_code == 200
        found = re.search(r'name="csrf" value="([^"]+)"', response.text)
        assert found is not None
        self.csrf = found.group(1)
        return response.text

    async def post(self, body: dict[str, Any], **headers: str) -> httpx.Response:
        return await self.client.post("/chat/messages", json=body, headers={"X-CSRF-Token": self.csrf, **headers})

    async def say(self, text: str, **more: Any) -> list[dict[str, Any]]:
        """What the page shows of one message: itself, then the replies."""
        response = await self.post({"text": text, "client_id": uuid.uuid4().hex, **more})
        assert response.status_code == 200, response.text
        shown: list[dict[str, Any]] = response.json()["messages"]
        return shown

    async def press(self, title: str, buttons: list[dict[str, str]]) -> list[dict[str, Any]]:
        payload = next(button["payload"] for button in buttons if button["title"] == title)
        return await self.say(title, payload=payload)

    async def after(self, number: int) -> list[dict[str, Any]]:
        response = await self.client.get(f"/chat/messages?after={number}")
        assert response.status_code == 200, response.text
        found: list[dict[str, Any]] = response.json()["messages"]
        return found


async def count(house: House, table: type[Any]) -> int:
    async with house.process.database.reading() as session:
        return (await session.execute(select(func.count()).select_from(table))).scalar_one()


# ── talking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_message_comes_back_with_its_replies(house: House) -> None:
    browser = await Browser.open(house)
    mine, reply = await browser.say("怎么入团？", client_id="client-0001")
    assert set(mine) == set(reply) == {"id", "side", "author", "text", "at", "buttons", "client_id"}
    assert (mine["side"], mine["text"], mine["client_id"], mine["buttons"]) == (
        "person",
        "怎么入团？",
        "client-0001",
        [],
    )
    assert (reply["side"], reply["author"], reply["client_id"]) == ("bot", None, None)
    assert [button["title"] for button in reply["buttons"]] == ["有帮助", "没帮助"]
    assert (mine["id"], reply["id"]) == (1, 2)
    assert mine["at"] == "2026-11-24T02:00:00+00:00"


async def test_a_whole_request_is_made_with_buttons(small_house: House) -> None:
    browser = await Browser.open(small_house)
    await browser.say("求助")
    asked = (await browser.say(WAGES))[-1]
    summary = (await browser.press("匿名", asked["buttons"]))[-1]
    opened = (await browser.press("确认提交", summary["buttons"]))[-1]
    assert "已登记，工单号GD" in opened["text"]
    assert await count(small_house, Ticket) == 1


async def test_reloading_shows_what_was_said(small_house: House) -> None:
    browser = await Browser.open(small_house)
    await browser.say("怎么入团？")
    page = await browser.page()
    assert "怎么入团？" in page
    assert "怎么申请加入共青团" in page


async def test_a_page_asks_for_what_came_after_what_it_has(house: House) -> None:
    browser = await Browser.open(house)
    for text in ("你好", "菜单", "谢谢"):
        await browser.say(text)
    assert [message["id"] for message in await browser.after(0)] == [1, 2, 3, 4, 5, 6]
    assert [message["text"] for message in await browser.after(4)] == ["谢谢", "不客气。还有别的事随时叫我。"]
    assert await browser.after(6) == []


@pytest.mark.parametrize("after", ["-1", "x", "", "99999999999", "1e3", "9" * 5000])
async def test_a_place_that_is_none_is_refused(house: House, after: str) -> None:
    browser = await Browser.open(house)
    await browser.say("你好")
    problem(await browser.client.get(f"/chat/messages?after={after}"), 422)


async def test_words_are_shown_as_words(small_house: House) -> None:
    browser = await Browser.open(small_house)
    tags = "<script>alert(1)</script>"
    mine, *_ = await browser.say(tags)
    assert mine["text"] == tags
    page = await browser.page()
    assert tags not in page
    assert html.escape(tags) in page


async def test_a_language_that_was_chosen_is_the_language_of_the_replies(small_house: House) -> None:
    browser = await Browser.open(small_house)
    await browser.client.get("/?lang=en")
    _, reply = await browser.say("hello")
    assert re.search("[\u4e00-\u9fff]", reply["text"]) is None
    await browser.client.get("/?lang=zh_TW")
    _, reply = await browser.say("謝謝")
    assert reply["text"].startswith("不客氣")


# ── once ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_same_client_id_again_gives_the_same_and_does_nothing(house: House) -> None:
    browser = await Browser.open(house)
    first = await browser.say("怎么入团？", client_id="client-0001")
    assert await browser.say("怎么入团？", client_id="client-0001") == first
    assert await count(house, InboundMessage) == 1


async def test_ten_resends_at_once_are_one_message(house: House) -> None:
    browser = await Browser.open(house)
    shown = await asyncio.gather(*(browser.say("你好", client_id="client-0001") for _ in range(10)))
    assert all(one == shown[0] for one in shown)
    assert await count(house, InboundMessage) == 1
    assert await count(house, Conversation) == 1


async def test_two_browsers_may_use_the_same_client_id(house: House) -> None:
    one, other = await Browser.open(house), await Browser.open(house)
    await one.say("怎么入团？", client_id="client-0001")
    theirs = await other.say("谢谢", client_id="client-0001")
    assert theirs[0]["text"] == "谢谢"
    assert await count(house, InboundMessage) == 2


# ── who may ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(small_house: House) -> None:
    response = await small_house.client.get("/")
    cookie = response.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "https://testserver"}, 200),
        ({"Origin": "https://testserver", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"X-CSRF-Token": ""}, 403),
        ({"X-CSRF-Token": "wrong"}, 403),
        ({"X-CSRF-Token": "错"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Origin": "https://testserver.evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
    ids=str,
)
async def test_only_our_own_page_may_send(small_house: House, headers: dict[str, str], status: int) -> None:
    browser = await Browser.open(small_house)
    raw = {name: value.encode() for name, value in headers.items()}
    response = await browser.client.post(
        "/chat/messages",
        json={"text": "你好", "client_id": "client-0001"},
        headers={"X-CSRF-Token": browser.csrf.encode(), **raw},
    )
    assert response.status_code == status
    if status != 200:
        problem(response, status)
    assert await count(small_house, InboundMessage) == (1 if status == 200 else 0)


async def test_a_form_secret_of_another_browser_does_not_fit(small_house: House) -> None:
    one, other = await Browser.open(small_house), await Browser.open(small_house)
    other.csrf = one.csrf
    problem(await other.post({"text": "你好", "client_id": "client-0001"}), 403, "error_csrf")


async def test_without_the_cookie_nothing_is_accepted(small_house: House) -> None:
    browser = await Browser.open(small_house)
    browser.client.cookies.clear()
    problem(await browser.post({"text": "你好", "client_id": "client-0001"}), 403, "error_csrf")


@pytest.mark.parametrize("cookie", ["", "short", "x" * 65, "é" * 40, "a" * 43])
async def test_an_invented_cookie_is_nobody(small_house: House, cookie: str) -> None:
    browser = await Browser.open(small_house)
    await browser.say("你好")
    raw = f"{COOKIE}={cookie}".encode()
    response = await small_house.client.get("/chat/messages", headers={"Cookie": raw})
    assert response.json() == {"messages": []}


async def test_another_browser_reads_nothing_of_it(house: House) -> None:
    one, other = await Browser.open(house), await Browser.open(house)
    await one.say(WAGES)
    assert await other.after(0) == []
    assert WAGES not in await other.page()


async def test_the_wire_of_the_rest_channel_does_not_reach_into_the_web_chat(small_house: House) -> None:
    """A sender of the REST channel may take any name, also one that looks like a browser's address."""
    browser = await Browser.open(small_house)
    await browser.say(WAGES)
    async with small_house.process.database.reading() as session:
        found = (await session.execute(select(Conversation.id))).scalars().all()
    assert len(found) == 1
    peer = hashlib.sha256(browser.client.cookies[COOKIE].encode()).hexdigest()
    assert "没有正在填的内容" in await small_house.chat(peer).say("继续")
    assert await count(small_house, Conversation) == 2


async def test_who_writes_too_fast_is_told_when_to_go_on(small_house: House) -> None:
    browser = await Browser.open(small_house)
    answers = [await browser.post({"text": "你好", "client_id": f"client-{nth:04}"}) for nth in range(25)]
    assert [answer.status_code for answer in answers[:20]] == [200] * 20
    refused = answers[-1]
    problem(refused, 429, "error_rate_limit")
    assert int(refused.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": "你好"},
        {"text": "你好", "client_id": "short"},
        {"text": "你好", "client_id": "x" * 65},
        {"text": 17, "client_id": "client-0001"},
        {"text": "你好", "client_id": "client-0001", "payload": "x" * 201},
        {"text": "你好", "client_id": "client-0001", "payload": 17},
        [],
        17,
    ],
    ids=str,
)
async def test_a_message_of_another_shape_is_refused(small_house: House, body: Any) -> None:
    browser = await Browser.open(small_house)
    problem(await browser.post(body), 422, "error_bad_field")


async def test_a_payload_that_was_not_given_out_is_not_obeyed(small_house: House) -> None:
    browser = await Browser.open(small_house)
    await browser.say("求助")
    *_, said = await browser.say("确认提交", payload="/form:confirm")
    assert await count(small_house, Ticket) == 0
    assert "请用自己的话说说" in said["text"]


async def test_words_of_danger_are_heard_beside_a_payload_that_is_not_ours(small_house: House) -> None:
    """A page that is old or broken must not hide them."""
    browser = await Browser.open(small_house)
    shown = await browser.say("我不想活了", payload="/long:gone")
    assert "12356" in shown[1]["text"]


# ── without scripts ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_form_works_without_scripts(house: House) -> None:
    browser = await Browser.open(house)
    response = await browser.client.post("/chat/send", data={"csrf": browser.csrf, "text": "怎么入团？"})
    assert (response.status_code, response.headers["location"]) == (303, "/#latest")
    page = await browser.page()
    assert "怎么申请加入共青团" in page
    payload = "/helpful:league_join_how"
    assert f'value="{payload}"' in page
    await browser.client.post("/chat/send", data={"csrf": browser.csrf, "payload": payload})
    shown = await browser.after(2)
    assert [message["text"] for message in shown] == ["有帮助", "太好了，谢谢反馈。"]


async def test_an_empty_form_says_nothing(small_house: House) -> None:
    browser = await Browser.open(small_house)
    response = await browser.client.post("/chat/send", data={"csrf": browser.csrf, "text": "  "})
    assert response.status_code == 303
    assert await browser.after(0) == []


@pytest.mark.parametrize(
    ("csrf", "headers"),
    [("wrong", {}), ("", {}), (None, {}), ("right", {"Origin": "https://evil.example"})],
    ids=str,
)
async def test_the_form_is_guarded_like_the_script(
    small_house: House, csrf: str | None, headers: dict[str, str]
) -> None:
    browser = await Browser.open(small_house)
    fields = {"text": "你好"} | ({"csrf": browser.csrf if csrf == "right" else csrf} if csrf is not None else {})
    response = await browser.client.post("/chat/send", data=fields, headers=headers)
    problem(response, 403)
    assert await count(small_house, InboundMessage) == 0
