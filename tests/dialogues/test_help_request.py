"""From a help request to a rating, as the requester lives it."""

from __future__ import annotations

import re

from handlers import cadre
from tests.house import Chat, House


async def open_wage_ticket(chat: Chat) -> str:
    """The shortest way to a ticket; its number."""
    await chat.say("求助", "老板拖欠工资两个月，在小榄一家五金厂", "匿名")
    opened = await chat.say("确认")
    found = re.search(r"[A-Z]{2}\d{10,}", opened)
    assert found, opened
    return found.group()


async def test_a_wage_claim_goes_to_the_town_union_and_says_why(house: House) -> None:
    chat = house.chat()
    await chat.say("求助", "老板拖欠工资两个月，在小榄一家五金厂", "匿名")
    opened = await chat.say("确认")
    assert "中山市小榄镇总工会" in opened
    assert "拖欠工资" in opened
    assert "R15" in opened
    assert "11月27日 10:00前" in opened
    assert re.search(r"查询码[2-9A-Z]{8}", opened)


async def test_an_answer_reaches_the_person_and_is_rated(house: House) -> None:
    chat = house.chat()
    number = await open_wage_ticket(chat)
    responder = await house.responder("gd-zs-union-xiaolan")
    async with house.process.database.transaction() as session:
        await cadre.answer(session, responder, number, "已联系厂方，周五前发放。", house.process.services)
    await house.deliver()
    heard = await chat.say("查进度")
    assert "已联系厂方，周五前发放。" in heard
    assert "已答复" in heard
    assert "打个分" in await chat.say("解决了")
    assert "满意" in await chat.say("4")
    assert "谢谢" in await chat.say("跳过")
    assert "已办结" in await chat.say("查进度")
