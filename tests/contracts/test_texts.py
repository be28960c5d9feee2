"""What people type: long, in every script, with marks and tags; stored as sent, shown as text."""

from __future__ import annotations

import html
import time

import pytest
from sqlalchemy import select

from handlers import cadre
from storage.models import InboundMessage
from tests.house import WAGES, XIAOLAN_UNION, House

LONGEST = 100_000
TAGS = "<script>alert(1)</script><img src=x onerror=alert(2)>&amp;\"'{{7*7}}"
SPECIAL = {
    "emoji": "😀👨‍👩‍👧‍👦🏳️‍🌈👍🏽",
    "right to left": "مرحبا بكم \u202eabc\u202c שלום",
    "zero width": "老\u200b板\u200d拖\ufeff欠",
    "combining": "e\u0301\u0323" * 20,
    "beyond the basic plane": "𠮷𡈽𝒳",
    "tags": TAGS,
    "formula": "=HYPERLINK(1)",
    "percent and braces": "100% {name} %s {0}",
    "line breaks": "一\r\n二\u2028三\u2029四\x85五",
    "controls": "a\x01\x1b[31mb\x7f",
}


async def stored_texts(house: House) -> list[str]:
    async with house.process.database.reading() as session:
        rows = await session.execute(select(InboundMessage.text).order_by(InboundMessage.id))
        return list(rows.scalars())


# ── stored as sent ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_every_script_is_kept_as_sent(house: House) -> None:
    chat = house.chat()
    for text in SPECIAL.values():
        assert await chat.say(text, "取消")
    assert (await stored_texts(house))[::2] == list(SPECIAL.values())


@pytest.mark.parametrize("name", SPECIAL)
async def test_every_script_survives_the_way_to_the_desk_and_back(small_house: House, name: str) -> None:
    chat = small_house.chat()
    number = await chat.open_ticket(f"{WAGES}。{SPECIAL[name]}")
    assert (await small_house.ticket(number)).text == f"{WAGES}。{SPECIAL[name]}"
    answer = f"已联系厂方。{SPECIAL[name]}"
    await small_house.act(XIAOLAN_UNION, cadre.answer, number, answer)
    assert answer.strip() in (await chat.send("你好"))[0]["text"]


async def test_what_no_database_stores_is_replaced(house: House) -> None:
    chat = house.chat()
    await chat.say("有NUL\x00在里面", "半个\ud83d字")
    assert await stored_texts(house) == ["有NUL\ufffd在里面", "半个\ufffd字"]


async def test_a_cadres_text_is_cleaned_too(house: House) -> None:
    number = await house.chat().open_ticket()
    await house.act(XIAOLAN_UNION, cadre.answer, number, "已联系\x00厂方。\ud800")
    assert (await house.events(number))[-1].text == "已联系\ufffd厂方。\ufffd"


async def test_tags_are_text_everywhere(small_house: House) -> None:
    chat = small_house.chat()
    summary = await chat.say("求助", f"{WAGES}{TAGS}", "匿名")
    assert TAGS in summary, "JSON gives it back as text"
    number = chat.opened(await chat.say("确认"))
    page = (await small_house.desk_page(XIAOLAN_UNION, f"/console/tickets/{number}")).text
    for tag in ("<script>alert", "<img src=x"):
        assert tag not in page
    assert html.escape("<script>alert(1)</script>") in page
    assert "{{7*7}}" in page, "no template language looks at it"


# ── long ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("filler", ["欠", "老板拖欠工资。", "👨‍👩‍👧‍👦", "1", "\u200b欠"])
async def test_a_hundred_thousand_characters_are_read_in_time(small_house: House, filler: str) -> None:
    text = (filler * LONGEST)[:LONGEST]
    chat = small_house.chat()
    started = time.monotonic()
    assert await chat.say(text)
    assert time.monotonic() - started < 3, "who would wait longer is told so instead"
    assert await stored_texts(small_house) == [text]


async def test_a_case_of_a_hundred_thousand_characters_is_opened_and_shown(house: House) -> None:
    chat = house.chat()
    text = (f"{WAGES}。" * 10_000)[:LONGEST]
    summary = await chat.say("求助", text, "匿名")
    assert len(summary) < 1_000, "the summary is short"
    number = chat.opened(await chat.say("确认"))
    assert (await house.ticket(number)).text == text
    assert (await house.desk_page(XIAOLAN_UNION, f"/console/tickets/{number}")).status_code == 200


async def test_one_character_more_is_refused_in_a_sentence(house: House) -> None:
    chat = house.chat()
    said = await chat.say("欠" * (LONGEST + 1))
    assert said == "这条内容太长，最多100000个字，请分几次发。"


async def test_a_text_that_is_too_long_does_not_disturb_a_form(small_house: House) -> None:
    chat = small_house.chat()
    await chat.say("求助", WAGES)
    await chat.say("欠" * (LONGEST + 1))
    number = chat.opened(await chat.say("匿名", "确认"))
    assert (await small_house.ticket(number)).text == WAGES


# ── senders ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("sender", ["a" * 255, "用户一号", "😀", "a b/c?d=e&f", "' OR 1=1 --", "<b>x</b>", "\u202eabc"])
async def test_any_name_may_be_a_sender(house: House, sender: str) -> None:
    chat = house.chat(sender)
    number = await chat.open_ticket()
    (reply,) = await chat.send("查进度")
    assert reply["recipient_id"] == sender
    assert number in reply["text"]
