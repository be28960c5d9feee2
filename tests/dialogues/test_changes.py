"""What a requester may do with an open ticket: urge, add, withdraw, and ask for another unit."""

from __future__ import annotations

import pytest

from handlers import cadre
from storage import tickets
from tests.house import WAGES, XIAOLAN_UNION, Chat, House


async def kinds(house: House, number: str) -> list[str]:
    return [event.kind for event in await house.events(number)]


# ── 催办 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_urging_marks_the_ticket_and_is_limited_to_once_in_four_hours(house: House) -> None:
    chat = house.chat()
    number = await chat.open_ticket()
    assert "已催办" in await chat.say("催办")
    assert "11月24日 14:00后可以再催" in await chat.say("催办")
    house.clock.forward(hours=3, minutes=59)
    assert "刚催过" in await chat.say(f"催办 {number}")
    house.clock.forward(minutes=1)
    assert "已催办" in await chat.say("催办")
    assert (await kinds(house, number)).count("urged") == 2


async def test_who_has_an_answer_need_not_urge(small_house: House) -> None:
    chat = small_house.chat()
    number = await chat.open_ticket()
    await small_house.act(XIAOLAN_UNION, cadre.answer, number, "已联系厂方。")
    assert "不用催办" in await chat.say(f"催办 {number}")
    assert "urged" not in await kinds(small_house, number)


async def test_with_several_open_tickets_it_is_asked_which(small_house: House) -> None:
    chat = small_house.chat()
    first, second = await chat.open_ticket(), await chat.open_ticket(f"{WAGES}，第二次")
    assert "是哪一个" in await chat.say("催办")
    assert "已催办" in await chat.say("2")
    assert "urged" in await kinds(small_house, first)
    assert "urged" not in await kinds(small_house, second)


# ── 补充 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_is_added_reaches_the_desk(house: House) -> None:
    chat = house.chat()
    number = await chat.open_ticket()
    assert f"要给{number}补充什么" in await chat.say("补充")
    assert "会看到" in await chat.say("我手上有考勤记录")
    events = await house.events(number)
    assert [(event.kind, event.text) for event in events][-1] == ("added", "我手上有考勤记录")
    page = await house.desk_page(XIAOLAN_UNION, f"/console/tickets/{number}")
    assert "我手上有考勤记录" in page.text


async def test_cancelling_keeps_the_next_words_out_of_the_ticket(small_house: House) -> None:
    chat = small_house.chat()
    number = await chat.open_ticket()
    await chat.say("补充", "取消", "怎么入团？")
    assert "added" not in await kinds(small_house, number)


async def test_nothing_is_added_to_a_finished_ticket(small_house: House) -> None:
    chat = small_house.chat()
    number = await chat.open_ticket()
    await chat.say("补充")
    await small_house.act(XIAOLAN_UNION, cadre.close, number, "explained", "厂方已破产，请申请仲裁。")
    assert "已经结束" in await chat.say("我手上有考勤记录")
    assert "【" in await chat.say("怎么入团？"), "the next message is read as any other"


# ── 撤回 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_withdrawing_asks_first(house: House) -> None:
    chat = house.chat()
    number = await chat.open_ticket()
    assert f"确定撤回{number}吗" in await chat.say("撤回")
    assert (await house.ticket(number)).status == "dispatched"
    assert "已撤回" in await chat.press("确认撤回")
    ticket = await house.ticket(number)
    assert (ticket.status, ticket.outcome) == ("withdrawn", "withdrawn")
    assert "状态：已撤回" in await chat.say("查进度")


async def test_who_thinks_better_of_it_keeps_the_ticket(small_house: House) -> None:
    chat = small_house.chat()
    number = await chat.open_ticket()
    await chat.say("撤回")
    assert await chat.press("取消") == "好的，已取消。需要时再发“求助”。"
    assert (await small_house.ticket(number)).status == "dispatched"


async def test_what_is_withdrawn_can_neither_be_urged_nor_withdrawn_again(small_house: House) -> None:
    chat = small_house.chat()
    number = await chat.open_ticket()
    await chat.say("撤回")
    yes = chat.buttons["确认撤回"]
    await chat.say(yes)
    for said in (yes, f"催办 {number}", f"补充 {number}", f"换部门 {number}", f"重开 {number}", f"评价 {number}"):
        await chat.say(said, "取消")
    assert await kinds(small_house, number) == ["opened", "routed", "withdrawn"]


async def test_a_withdrawn_ticket_is_no_task_any_more(small_house: House) -> None:
    chat = small_house.chat()
    number = await chat.open_ticket()
    await chat.say("撤回", "确认撤回")
    small_house.clock.forward(hours=100)
    assert await small_house.watch_clocks() == 0
    assert (await small_house.ticket(number)).breached_at is None


# ── 换部门 ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _asks_for_another_unit(chat: Chat) -> dict[str, str]:
    """The units offered, by name."""
    assert "你觉得应该是谁" in await chat.say("换部门")
    *units, desk, cancel = chat.buttons
    assert (desk, cancel) == ("不知道，请分办台判断", "取消")
    assert 1 <= len(units) <= 3
    return {name: chat.buttons[name] for name in units}


async def test_another_unit_is_chosen_by_button_and_the_clock_goes_on(house: House) -> None:
    chat = house.chat()
    number = await chat.open_ticket()
    due = (await house.ticket(number)).due_at
    units = await _asks_for_another_unit(chat)
    house.clock.forward(hours=5)
    name = next(iter(units))
    said = await chat.press(name)
    assert f"已从中山市小榄镇总工会改派到{name}" in said
    assert "11月27日 10:00前答复，时间不重新计算" in said
    ticket = await house.ticket(number)
    assert units[name] == f"/unit:{number}:{ticket.unit_code}"
    assert (ticket.status, ticket.due_at, ticket.assignee_id) == ("dispatched", due, None)
    assert f"承办：{name}" in await chat.say("查进度")
    async with house.process.database.reading() as session:
        causes = [decision.cause for decision in await tickets.decisions(session, ticket.id)]
    assert causes == ["change_unit", "opened"]


async def test_the_old_unit_loses_sight_of_it(small_house: House) -> None:
    chat = small_house.chat()
    number = await chat.open_ticket()
    path = f"/console/tickets/{number}"
    assert (await small_house.desk_page(XIAOLAN_UNION, path)).status_code == 200
    await _asks_for_another_unit(chat)
    await chat.say("1")
    assert (await small_house.desk_page(XIAOLAN_UNION, path)).status_code == 404
    unit = (await small_house.ticket(number)).unit_code
    assert (await small_house.desk_page(unit, path)).status_code == 200


async def test_another_unit_is_chosen_by_name(small_house: House) -> None:
    chat = small_house.chat()
    number = await chat.open_ticket()
    await chat.say("换部门")
    assert "改派到中山市总工会" in await chat.say("应该找中山市总工会")
    assert (await small_house.ticket(number)).unit_code == "gd-zs-union"


@pytest.mark.parametrize("name", ["松苑中学", "团中央", "小榄镇团委"])
async def test_a_unit_that_may_not_handle_it_is_refused_with_the_reason(small_house: House, name: str) -> None:
    chat = small_house.chat()
    number = await chat.open_ticket()
    await chat.say("换部门")
    said = await chat.say(name)
    assert "不能办这件事：" in said
    assert "拖欠工资" in said, "why not"
    assert (await small_house.ticket(number)).unit_code == XIAOLAN_UNION
    assert "改派到中山市总工会" in await chat.say("中山市总工会"), "another name may follow at once"


async def test_the_unit_that_has_it_already_is_no_change(small_house: House) -> None:
    chat = small_house.chat()
    number = await chat.open_ticket()
    await chat.say("换部门")
    assert "请分办台判断" in chat.buttons or "不知道，请分办台判断" in chat.buttons
    await chat.say("小榄镇总工会")
    assert (await small_house.ticket(number)).unit_code != "gd-zs-union"


async def test_who_does_not_know_leaves_it_to_the_sorting_desk(house: House) -> None:
    chat = house.chat()
    number = await chat.open_ticket()
    await chat.say("换部门")
    assert "改派到中山12355" in await chat.press("不知道，请分办台判断")
    ticket = await house.ticket(number)
    assert (ticket.status, ticket.unit_code) == ("triage", "gd-zs-12355")


async def test_a_reason_instead_of_a_unit_goes_to_the_sorting_desk_with_the_words(small_house: House) -> None:
    chat = small_house.chat()
    number = await chat.open_ticket()
    await chat.say("换部门")
    await chat.say("这个单位的领导和我老板是亲戚，我信不过")
    assert (await small_house.ticket(number)).unit_code == XIAOLAN_UNION, "no unit was named: the person is asked first"
    await chat.press("不知道，请分办台判断")
    assert (await small_house.ticket(number)).unit_code == "gd-zs-12355"
    assert "这个单位的领导和我老板是亲戚，我信不过" in [event.text for event in await small_house.events(number)]


async def test_words_about_one_ticket_do_not_follow_another(small_house: House) -> None:
    chat = small_house.chat()
    first, second = await chat.open_ticket(), await chat.open_ticket(f"{WAGES}，第二次")
    secret = "这个单位的领导和我老板是亲戚，我信不过"
    await chat.say(f"换部门 {first}", secret, "取消", f"换部门 {second}", "1")
    assert (await small_house.ticket(second)).unit_code != XIAOLAN_UNION
    assert secret not in [event.text for event in await small_house.events(second)]
    assert (await small_house.ticket(first)).unit_code == XIAOLAN_UNION


async def test_what_is_answered_stays_where_it_is(small_house: House) -> None:
    chat = small_house.chat()
    number = await chat.open_ticket()
    await small_house.act(XIAOLAN_UNION, cadre.answer, number, "已联系厂方。")
    assert "现在不能换部门" in await chat.say(f"换部门 {number}")


# ── whose ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("verb", ["催办", "补充", "撤回", "换部门", "重开", "评价"])
async def test_somebody_elses_ticket_and_an_absent_one_look_alike(house: House, verb: str) -> None:
    number = await house.chat().open_ticket()
    stranger = house.chat()
    foreign = await stranger.say(f"{verb} {number}")
    absent = await stranger.say(f"{verb} GD2611249999")
    assert foreign == absent == "没有找到，或者你看不到它。"
    assert await kinds(house, number) == ["opened", "routed"]
