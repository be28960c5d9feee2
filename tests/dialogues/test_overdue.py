"""The citizen's 72 hours: kept in sight, and never forgotten once broken."""

from __future__ import annotations

import asyncio

from handlers import cadre
from tests.house import WAGES, XIAOLAN_UNION, House


async def breaches(house: House, number: str) -> int:
    return sum(event.kind == "overdue" for event in await house.events(number))


async def test_a_clock_that_ran_out_is_marked_once_for_ever_and_told_once(house: House) -> None:
    chat = house.chat()
    number = await chat.open_ticket()
    due = (await house.ticket(number)).due_at
    house.clock.forward(hours=71, minutes=59)
    assert await house.watch_clocks() == 0
    house.clock.forward(minutes=1)
    assert await house.watch_clocks() == 1
    assert await house.watch_clocks() == 0
    house.clock.forward(days=3)
    assert await house.watch_clocks() == 0
    assert (await house.ticket(number)).breached_at == due
    assert await breaches(house, number) == 1
    heard = await chat.say("你好")
    assert heard.count("已经超过承诺的答复时间") == 1
    assert "超过承诺" not in await chat.say("你好")


async def test_a_late_answer_does_not_erase_the_breach(house: House) -> None:
    chat = house.chat()
    number = await chat.open_ticket()
    house.clock.forward(hours=80)
    await house.watch_clocks()
    await house.act(XIAOLAN_UNION, cadre.answer, number, "已联系厂方。")
    await house.act(XIAOLAN_UNION, cadre.close, number, "solved", "")
    ticket = await house.ticket(number)
    assert ticket.breached_at == ticket.due_at


async def test_the_breach_of_a_first_cycle_outlives_reopening(house: House) -> None:
    chat = house.chat()
    number = await chat.open_ticket()
    house.clock.forward(hours=80)
    await house.watch_clocks()
    await house.act(XIAOLAN_UNION, cadre.answer, number, "已联系厂方。")
    await chat.say("你好", "没解决", "还没发")
    assert (await house.ticket(number)).breached_at is None, "the second cycle is on time so far"
    house.clock.forward(hours=73)
    assert await house.watch_clocks() == 1
    assert await breaches(house, number) == 2


async def test_neither_transfer_nor_another_unit_nor_asking_moves_the_due_time(house: House) -> None:
    chat = house.chat()
    number = await chat.open_ticket()
    house.clock.forward(hours=20)
    await house.act(XIAOLAN_UNION, cadre.transfer, number, "gd-zs-union", "厂方注册地在石岐。")
    house.clock.forward(hours=20)
    await chat.say("换部门", "不知道，请分办台判断")
    house.clock.forward(hours=20)
    await house.act("gd-zs-12355", cadre.ask, number, "厂名叫什么？")
    house.clock.forward(hours=12)
    assert await house.watch_clocks() == 1


async def test_two_sweeps_at_once_mark_each_clock_once(house: House) -> None:
    numbers = [await house.chat().open_ticket(f"{WAGES}，第{nth}家") for nth in range(6)]
    house.clock.forward(hours=73)
    marked = await asyncio.gather(*(house.watch_clocks() for _ in range(4)))
    assert sum(marked) == 6
    assert [await breaches(house, number) for number in numbers] == [1] * 6


async def test_a_sweep_and_an_answer_at_the_same_moment_do_not_stop_each_other(house: House) -> None:
    """Both lock the ticket and its conversation; in the wrong order PostgreSQL would end one of them as a deadlock."""
    chats = [house.chat() for _ in range(5)]
    numbers = [await chat.open_ticket() for chat in chats]
    await house.responder(XIAOLAN_UNION)
    house.clock.forward(hours=73)
    await asyncio.gather(
        house.watch_clocks(),
        *(house.act(XIAOLAN_UNION, cadre.answer, number, "已联系厂方。") for number in numbers),
        *(chat.say("补充", "我手上有考勤记录") for chat in chats),
    )
    for number in numbers:
        assert (await house.ticket(number)).status == "answered"
