"""Solved or not, one to five in words, a comment; "not solved" goes back to work."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from handlers import cadre
from storage import tickets
from storage.models import Rating
from tests.house import XIAOLAN_UNION, Chat, House


async def ratings(house: House, number: str) -> Sequence[Rating]:
    ticket = await house.ticket(number)
    async with house.process.database.reading() as session:
        rows = await session.execute(select(Rating).where(Rating.ticket_id == ticket.id).order_by(Rating.id))
        return rows.scalars().all()


async def the_rating(house: House, number: str) -> tuple[str, int | None, str | None]:
    """What counts now: solved, satisfaction, comment."""
    (current,) = [rating for rating in await ratings(house, number) if rating.is_current]
    return current.solved, current.satisfaction, current.comment


async def answered(house: House, chat: Chat) -> str:
    """A ticket with an answer that the person has heard; its number."""
    number = await chat.open_ticket()
    await house.act(XIAOLAN_UNION, cadre.answer, number, "已联系厂方，周五前发放。")
    await chat.say("你好")
    return number


async def rated(house: House, chat: Chat) -> str:
    number = await answered(house, chat)
    await chat.say("解决了", "4", "跳过")
    return number


# ── solved ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_solved_score_and_comment_are_stored_and_close_the_ticket(house: House) -> None:
    chat = house.chat()
    number = await answered(house, chat)
    assert "打个分" in await chat.say("解决了")
    assert list(chat.buttons) == ["很不满意", "不满意", "一般", "满意", "很满意"]
    assert "已记录：很满意" in await chat.press("很满意")
    assert "7天内可以发“评价”修改" in await chat.say("干部很负责")
    assert await the_rating(house, number) == ("yes", 5, "干部很负责")
    ticket = await house.ticket(number)
    assert (ticket.status, ticket.outcome) == ("closed", "solved")


@pytest.mark.parametrize(("said", "solved", "outcome"), [("解决了", "yes", "solved"), ("部分解决", "partly", "partly")])
async def test_the_verdict_may_be_typed(small_house: House, said: str, solved: str, outcome: str) -> None:
    chat = small_house.chat()
    number = await answered(small_house, chat)
    await chat.say(said)
    assert (await the_rating(small_house, number))[0] == solved
    assert (await small_house.ticket(number)).outcome == outcome


@pytest.mark.parametrize(("said", "score"), [("1", 1), ("5", 5), ("很不满意", 1), ("一般", 3)])
async def test_the_score_may_be_a_number_or_a_word(small_house: House, said: str, score: int) -> None:
    chat = small_house.chat()
    number = await answered(small_house, chat)
    await chat.say("解决了", said)
    assert (await the_rating(small_house, number))[1] == score


async def test_the_score_and_the_comment_may_be_left_out(small_house: House) -> None:
    chat = small_house.chat()
    number = await answered(small_house, chat)
    await chat.say("解决了")
    assert await the_rating(small_house, number) == ("yes", None, None), "not rated is missing, never five"
    await chat.say("4", "跳过")
    assert await the_rating(small_house, number) == ("yes", 4, None)


async def test_a_low_score_offers_to_reopen_at_once(small_house: House) -> None:
    chat = small_house.chat()
    await answered(small_house, chat)
    assert "谢谢你说真话" in await chat.say("解决了", "2", "跳过")
    assert "重开" in chat.buttons


async def test_a_question_instead_of_a_comment_is_answered(small_house: House) -> None:
    chat = small_house.chat()
    number = await answered(small_house, chat)
    await chat.say("解决了", "4")
    assert "【怎么申请加入共青团？】" in await chat.say("怎么入团？")
    assert (await the_rating(small_house, number))[2] is None


async def test_a_new_request_instead_of_a_comment_is_a_request(small_house: House) -> None:
    chat = small_house.chat()
    number = await answered(small_house, chat)
    await chat.say("解决了", "4")
    assert "请用自己的话说说" in await chat.say("求助")
    assert (await the_rating(small_house, number))[2] is None


# ── changed, expired ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_rating_is_changed_within_seven_days_and_the_old_one_stays_on_record(house: House) -> None:
    chat = house.chat()
    number = await rated(house, chat)
    house.clock.forward(days=6, hours=23)
    assert "解决了吗" in await chat.say("评价")
    await chat.say("部分解决", "2", "后来又拖了")
    assert await the_rating(house, number) == ("partly", 2, "后来又拖了")
    history = await ratings(house, number)
    assert (history[0].solved, history[0].is_current) == ("yes", False)
    assert sum(one.is_current for one in history) == 1


async def test_after_seven_days_it_stands(house: House) -> None:
    chat = house.chat()
    number = await rated(house, chat)
    before = await the_rating(house, number)
    house.clock.forward(days=7, hours=1)
    assert "评价期（7天）已过" in await chat.say("评价")
    assert await the_rating(house, number) == before


async def test_a_change_does_not_start_another_seven_days(small_house: House) -> None:
    """Seven days from the first verdict: a rating that is touched every week would never stand."""
    chat = small_house.chat()
    number = await rated(small_house, chat)
    small_house.clock.forward(days=6)
    await chat.say("评价", "解决了", "5", "跳过")
    small_house.clock.forward(days=2)
    assert "已过" in await chat.say(f"评价 {number}")


# ── not solved ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_not_solved_goes_back_to_work_with_a_new_clock(house: House) -> None:
    chat = house.chat()
    number = await answered(house, chat)
    house.clock.forward(days=2)
    said = await chat.say("没解决")
    assert "已重新打开（第1次）" in said
    assert "11月29日 10:00前答复" in said
    ticket = await house.ticket(number)
    assert (ticket.status, ticket.cycle, ticket.outcome, ticket.first_reply_at) == ("working", 2, None, None)
    assert ticket.due_at == datetime(2026, 11, 29, 2, 0, tzinfo=UTC)
    async with house.process.database.reading() as session:
        clocks = await tickets.timers(session, ticket.id)
    assert [(clock.cycle, clock.stopped_at is None) for clock in clocks] == [(1, False), (2, True)]
    (first,) = await ratings(house, number)
    assert (first.cycle, first.solved) == (1, "no")


async def test_what_is_not_solved_is_told_to_the_unit(house: House) -> None:
    chat = house.chat()
    number = await answered(house, chat)
    assert "哪里没解决" in await chat.say("没解决")
    assert "会看到" in await chat.say("只发了一半工资")
    assert (await house.events(number))[-1].text == "只发了一半工资"


async def test_the_second_cycle_is_rated_by_itself(house: House) -> None:
    chat = house.chat()
    number = await answered(house, chat)
    await chat.say("没解决", "只发了一半工资")
    await house.act(XIAOLAN_UNION, cadre.answer, number, "余下的一半今天已发。")
    await chat.say("查进度", "解决了", "5", "跳过")
    current = [(one.cycle, one.solved, one.satisfaction) for one in await ratings(house, number) if one.is_current]
    assert current == [(1, "no", None), (2, "yes", 5)]


async def test_a_closed_ticket_is_reopened_with_a_reason(house: House) -> None:
    chat = house.chat()
    number = await rated(house, chat)
    house.clock.forward(days=29)
    assert "哪里没解决" in await chat.say("重开")
    assert "已重新打开" in await chat.say("厂方又开始拖了")
    events = await house.events(number)
    assert [(event.kind, event.text) for event in events][-2:] == [("reopened", ""), ("added", "厂方又开始拖了")]
    ticket = await house.ticket(number)
    assert (ticket.status, ticket.cycle) == ("working", 2)
    assert ticket.due_at == house.clock() + timedelta(hours=72)


async def test_after_thirty_days_it_stays_closed_and_the_way_on_is_told(house: House) -> None:
    chat = house.chat()
    number = await rated(house, chat)
    house.clock.forward(days=30, minutes=1)
    await chat.say("重开")
    said = await chat.say("厂方又开始拖了")
    assert "已超过30天" in said
    assert "求助" in said
    ticket = await house.ticket(number)
    assert (ticket.status, ticket.cycle) == ("closed", 1)


async def test_what_is_still_worked_on_cannot_be_reopened(small_house: House) -> None:
    chat = small_house.chat()
    number = await chat.open_ticket()
    await chat.say(f"重开 {number}")
    said = await chat.say("快一点")
    assert "还在办理中" in said
    assert (await small_house.ticket(number)).cycle == 1


async def test_who_reopens_need_not_say_why(small_house: House) -> None:
    chat = small_house.chat()
    number = await rated(small_house, chat)
    await chat.say("重开")
    assert "已重新打开" in await chat.press("跳过")
    assert (await small_house.events(number))[-1].kind == "reopened"


# ── not asked ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_before_there_is_an_answer_there_is_nothing_to_rate(small_house: House) -> None:
    chat = small_house.chat()
    number = await chat.open_ticket()
    assert "还没有答复" in await chat.say(f"评价 {number}")
    assert await ratings(small_house, number) == []


async def test_a_duplicate_is_not_rated(house: House) -> None:
    chat = house.chat()
    number = await chat.open_ticket()
    await house.act(XIAOLAN_UNION, cadre.close, number, "duplicate_of", "与您上一张工单相同，已合并办理。")
    heard = await chat.send("你好")
    assert "buttons" not in heard[0]
    assert "不做打分" in await chat.say(f"评价 {number}")
    assert await ratings(house, number) == []


async def test_old_buttons_cannot_rate_what_became_a_duplicate(small_house: House) -> None:
    chat = small_house.chat()
    number = await answered(small_house, chat)
    await small_house.act(XIAOLAN_UNION, cadre.close, number, "duplicate_of", "")
    assert "不做打分" in await chat.say(f"/solved:{number}:yes")
    assert await ratings(small_house, number) == []


async def test_somebody_else_cannot_rate(small_house: House) -> None:
    owner, stranger = small_house.chat(), small_house.chat()
    number = await answered(small_house, owner)
    await stranger.say(f"/solved:{number}:yes", f"/score:{number}:1", f"评价 {number}")
    assert await ratings(small_house, number) == []


async def test_a_cadre_may_close_after_the_rating_window_without_one(small_house: House) -> None:
    chat = small_house.chat()
    number = await answered(small_house, chat)
    await small_house.act(XIAOLAN_UNION, cadre.close, number, "solved", "")
    assert await ratings(small_house, number) == []
    await chat.say("你好", "解决了", "3", "跳过")
    assert await the_rating(small_house, number) == ("yes", 3, None)
