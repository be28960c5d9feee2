"""``metadata.message_id``: a message that is delivered again is answered again and does nothing again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, select

from handlers import cadre
from storage.models import AnswerFeedback, InboundMessage, OutboxMessage, Ticket
from tests.house import WAGES, XIAOLAN_UNION, House


async def count(house: House, table: type[Any]) -> int:
    async with house.process.database.reading() as session:
        return (await session.execute(select(func.count()).select_from(table))).scalar_one()


async def test_the_same_message_again_gets_the_same_reply(house: House) -> None:
    chat = house.chat()
    first = await chat.send("怎么入团？", message_id="m-1")
    house.clock.forward(days=2)
    again = await chat.send("怎么入团？", message_id="m-1")
    assert again == first
    assert await count(house, InboundMessage) == 1
    assert await count(house, OutboxMessage) == len(first)


async def test_a_repeat_has_no_second_effect(house: House) -> None:
    chat = house.chat()
    await chat.say("求助", WAGES, "匿名")
    first = await chat.send("确认", message_id="m-1")
    again = await chat.send("确认", message_id="m-1")
    assert again == first
    assert await count(house, Ticket) == 1
    number = chat.opened(first[0]["text"])
    await chat.send("催办", message_id="m-2")
    house.clock.forward(hours=5)
    await chat.send("催办", message_id="m-2")
    assert [event.kind for event in await house.events(number)].count("urged") == 1


async def test_a_repeat_is_known_by_its_id_whatever_its_text(house: House) -> None:
    """The platform's id decides, not the words: a retry may be re-encoded on the way."""
    chat = house.chat()
    first = await chat.send("怎么入团？", message_id="m-1")
    assert await chat.send("我不想活了", message_id="m-1") == first
    assert await count(house, Ticket) == 0


async def test_without_an_id_the_same_words_are_a_new_message(house: House) -> None:
    chat = house.chat()
    await chat.say("怎么入团？")
    thumb = chat.buttons["有帮助"]
    await chat.say(thumb, thumb)
    assert await count(house, AnswerFeedback) == 2
    assert await count(house, InboundMessage) == 3


async def test_twenty_deliveries_at_once_have_one_effect_and_twenty_equal_replies(house: House) -> None:
    chat = house.chat()
    await chat.say("求助", WAGES, "匿名")
    replies = await asyncio.gather(*(chat.send("确认", message_id="m-1") for _ in range(20)))
    assert all(reply == replies[0] for reply in replies)
    assert "已登记" in replies[0][0]["text"]
    assert await count(house, Ticket) == 1


async def test_a_first_message_delivered_twenty_times_begins_one_conversation(house: House) -> None:
    chat = house.chat()
    replies = await asyncio.gather(*(chat.send("你好", message_id="m-1") for _ in range(20)))
    assert all(reply == replies[0] for reply in replies)
    assert await count(house, InboundMessage) == 1


async def test_different_messages_at_once_are_all_answered(house: House) -> None:
    chat = house.chat()
    replies = await asyncio.gather(*(chat.send("你好", message_id=f"m-{nth}") for nth in range(20)))
    assert all(len(reply) == 1 for reply in replies)
    assert await count(house, InboundMessage) == 20


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("anna", "m-1"), ("bert", "m-1")),
        (("anna:b", "c"), ("anna", "b:c")),
        (("a", "1:x"), ("a:1", "x")),
    ],
    ids=["same id", "colon in the sender", "colon in the id"],
)
async def test_the_same_id_of_another_sender_is_another_message(
    house: House, one: tuple[str, str], other: tuple[str, str]
) -> None:
    anna, bert = house.chat(one[0]), house.chat(other[0])
    number = await anna.open_ticket()
    mine = await anna.send("查进度", message_id=one[1])
    theirs = await bert.send("查进度", message_id=other[1])
    assert number in mine[0]["text"]
    assert number not in theirs[0]["text"]
    assert theirs[0]["recipient_id"] == other[0]


async def test_a_number_and_its_digits_are_the_same_id(house: House) -> None:
    chat = house.chat()
    first = await chat.send("怎么入团？", message_id=17)
    assert await chat.send("怎么入团？", message_id="17") == first
    assert await count(house, InboundMessage) == 1


async def test_news_given_with_a_reply_is_given_again_with_its_repeat(house: House) -> None:
    chat = house.chat()
    number = await chat.open_ticket()
    await house.act(XIAOLAN_UNION, cadre.answer, number, "已联系厂方。")
    first = await chat.send("你好", message_id="m-1")
    assert "已联系厂方" in first[0]["text"]
    assert await chat.send("你好", message_id="m-1") == first
    assert "已联系厂方" not in (await chat.send("你好", message_id="m-2"))[0]["text"]


async def test_a_repeat_does_not_take_news_away(house: House) -> None:
    """What came meanwhile belongs to the next new message, not to a retry of an old one."""
    chat = house.chat()
    first = await chat.send("你好", message_id="m-1")
    number = await chat.open_ticket()
    await house.act(XIAOLAN_UNION, cadre.answer, number, "已联系厂方。")
    assert await chat.send("你好", message_id="m-1") == first
    assert "已联系厂方" in (await chat.send("你好", message_id="m-2"))[0]["text"]
