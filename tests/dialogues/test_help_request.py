"""From a help request to a rating, as the requester lives it."""

from __future__ import annotations

import re

from handlers import cadre
from tests.house import WAGES, XIAOLAN_UNION, House


async def test_a_wage_claim_goes_to_the_town_union_and_says_why(house: House) -> None:
    chat = house.chat()
    opened = await chat.say("求助", WAGES, "匿名", "确认")
    assert "中山市小榄镇总工会" in opened
    assert "拖欠工资" in opened
    assert "R15" in opened
    assert "11月27日 10:00前" in opened
    assert re.search(r"查询码[2-9A-Z]{8}", opened)


async def test_an_answer_reaches_the_person_and_is_rated(house: House) -> None:
    chat = house.chat()
    number = await chat.open_ticket()
    await house.act(XIAOLAN_UNION, cadre.answer, number, "已联系厂方，周五前发放。")
    heard = await chat.say("查进度")
    assert "已联系厂方，周五前发放。" in heard
    assert "已答复" in heard
    assert "打个分" in await chat.say("解决了")
    assert "满意" in await chat.say("4")
    assert "谢谢" in await chat.say("跳过")
    assert "已办结" in await chat.say("查进度")
    ticket = await house.ticket(number)
    assert (ticket.status, ticket.outcome) == ("closed", "solved")
