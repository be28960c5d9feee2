"""Words of danger: the hotline at once, and a person on duty, before anything else."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from config.settings import SEED
from config.yamlfile import read_yaml
from handlers import cadre, crisis
from handlers.access import ticket_for_responder
from handlers.errors import NotFound
from nlu.urgency import SEVERITIES
from storage.models import InboundMessage, OutboxMessage, Ticket
from tests.house import WAGES, Chat, House

DESK = "gd-zs-12355"
PROVINCE_DESK = "gd-12355"
HOTLINE = "12356"
_TESTS = read_yaml(SEED / "crisis_lexicon.yml").data["tests"]
ACUTE = [
    case["text"]
    for case in _TESTS["must_trigger"]
    if SEVERITIES.index(case["min_severity"]) >= SEVERITIES.index("high") and case["category"] != "fire_medical"
][::6]
HARMLESS = [case if isinstance(case, str) else case["text"] for case in _TESTS["must_not_trigger"]][::5]


async def crisis_tickets(house: House) -> list[Ticket]:
    async with house.process.database.reading() as session:
        rows = await session.execute(select(Ticket).where(Ticket.is_crisis).order_by(Ticket.id))
        return list(rows.scalars())


async def the_crisis_ticket(house: House) -> Ticket:
    found = await crisis_tickets(house)
    assert len(found) == 1
    return found[0]


async def written(house: House, number: str) -> list[str]:
    """What the requester wrote, as the desk reads it."""
    return [event.text for event in await house.events(number) if event.actor == "requester" and event.text]


# ── acute ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_words_of_danger_get_the_hotline_first_and_a_restricted_ticket_at_the_desk(house: House) -> None:
    chat = house.chat()
    replies = await chat.send("我在中山，我不想活了，已经写好遗书")
    assert HOTLINE in replies[0]["text"]
    assert "110" in replies[0]["text"]
    ticket = await the_crisis_ticket(house)
    assert ticket.number in replies[1]["text"]
    assert "中山12355" in replies[1]["text"]
    assert (ticket.unit_code, ticket.sensitivity, ticket.urgency, ticket.status) == (
        DESK,
        "restricted",
        "critical",
        "dispatched",
    )
    assert await written(house, ticket.number) == ["我在中山，我不想活了，已经写好遗书"]


async def test_the_message_the_hotline_and_the_ticket_are_one_transaction(house: House) -> None:
    """All rows of a turn carry its moment; a crash before the commit (tests/faults) leaves none of them."""
    await house.chat().send("我不想活了")
    async with house.process.database.reading() as session:
        inbound = (await session.execute(select(InboundMessage))).scalar_one()
        said = (await session.execute(select(OutboxMessage))).scalars().all()
    ticket = await the_crisis_ticket(house)
    assert {one.inbound_id for one in said} == {inbound.id}
    assert {ticket.opened_at, inbound.received_at, *(one.created_at for one in said)} == {house.clock()}
    assert all(one.is_essential for one in said)


@pytest.mark.parametrize("text", ACUTE)
async def test_every_acute_phrase_opens_a_ticket(small_house: House, text: str) -> None:
    assert "1" in await small_house.chat().say(text)
    assert (await the_crisis_ticket(small_house)).is_crisis


@pytest.mark.parametrize("text", ["我 不 想 活 了", "我不，想。活！了", "我不\u200b想\u200b活\u200b了", "我想自殺"])
async def test_letters_between_the_letters_hide_nothing(small_house: House, text: str) -> None:
    await small_house.chat().say(text)
    assert (await the_crisis_ticket(small_house)).is_crisis


async def test_words_of_danger_at_the_end_of_a_long_text_are_heard(small_house: House) -> None:
    replies = await small_house.chat().send("今天食堂的饭很好吃。" * 2000 + "我不想活了。")
    assert HOTLINE in replies[0]["text"]
    assert (await the_crisis_ticket(small_house)).is_crisis


async def test_without_a_place_the_desk_of_the_province_is_told(small_house: House) -> None:
    await small_house.chat().say("我不想活了")
    assert (await the_crisis_ticket(small_house)).unit_code == PROVINCE_DESK


async def test_a_fire_gets_the_emergency_numbers_and_no_ticket(small_house: House) -> None:
    said = await small_house.chat().say("家里着火了快来人")
    assert "119" in said
    assert "工单号" not in said
    assert await crisis_tickets(small_house) == []


async def test_an_injury_of_somebody_who_wants_to_die_opens_a_ticket_all_the_same(small_house: House) -> None:
    await small_house.chat().say("我割腕了，大出血")
    assert (await the_crisis_ticket(small_house)).crisis_category == "self_harm"


@pytest.mark.parametrize("text", ["累死了", "笑死我了", "气死我了", "这游戏打死我也不玩了", *HARMLESS])
async def test_false_friends_ring_no_bell(small_house: House, text: str) -> None:
    said = await small_house.chat().say(text)
    assert "值班老师" not in said
    assert await crisis_tickets(small_house) == []


# ── what follows ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_second_cry_is_added_to_the_same_ticket(house: House) -> None:
    chat = house.chat()
    await chat.say("我在中山，我不想活了")
    second = await chat.send("我已经割腕了")
    assert HOTLINE in second[0]["text"]
    ticket = await the_crisis_ticket(house)
    assert ticket.number in second[1]["text"]
    assert await written(house, ticket.number) == ["我在中山，我不想活了", "我已经割腕了"]


async def test_what_the_person_says_next_reaches_the_desk(house: House) -> None:
    chat = house.chat()
    await chat.say("我在中山，我不想活了")
    said = await chat.say("我一个人在出租屋里")
    comforting = {house.process.services.text("zh_CN", key) for key in crisis.COMFORTING}
    assert said in comforting
    assert "【" not in said, "nobody in danger is sent an article"
    number = (await the_crisis_ticket(house)).number
    assert "我一个人在出租屋里" in await written(house, number)


async def test_a_day_later_what_is_said_is_private_again(small_house: House) -> None:
    chat = small_house.chat()
    await chat.say("我不想活了")
    small_house.clock.forward(hours=25)
    await chat.say("毕业了团关系转去哪")
    number = (await the_crisis_ticket(small_house)).number
    assert await written(small_house, number) == ["我不想活了"]


async def test_a_cry_weeks_later_is_a_new_case(small_house: House) -> None:
    chat = small_house.chat()
    await chat.say("我不想活了")
    small_house.clock.forward(days=20)
    await chat.say("我不想活了")
    assert len(await crisis_tickets(small_house)) == 2


async def test_another_person_has_another_ticket(small_house: House) -> None:
    await small_house.chat().say("我不想活了")
    await small_house.chat().say("我不想活了")
    assert len({ticket.person_id for ticket in await crisis_tickets(small_house)}) == 2


async def test_a_cry_in_a_running_form_ends_the_form_and_takes_its_words_along(house: House) -> None:
    chat = house.chat()
    await chat.say("求助", WAGES)
    replies = await chat.send("算了，我不想活了")
    assert HOTLINE in replies[0]["text"]
    ticket = await the_crisis_ticket(house)
    assert ticket.unit_code == DESK, "the form knew the place"
    assert "拖欠工资" in ticket.text
    assert "我不想活了" in ticket.text
    assert "没有正在填的内容" in await chat.say("继续")


async def test_a_cry_while_a_cadre_waits_for_an_answer_is_heard_as_one(house: House) -> None:
    chat = house.chat()
    number = await chat.open_ticket()
    await house.act("gd-zs-union-xiaolan", cadre.ask, number, "厂名叫什么？")
    assert HOTLINE in await chat.say("我不想活了")
    assert (await the_crisis_ticket(house)).number != number
    assert (await house.ticket(number)).status == "need_info"


async def test_the_desk_answers_and_no_rating_is_asked(house: House) -> None:
    chat = house.chat()
    await chat.say("我在中山，我不想活了")
    number = (await the_crisis_ticket(house)).number
    await house.act(DESK, cadre.answer, number, "我是值班的李老师，现在就给你打电话好吗？")
    heard = await chat.say("你好")
    assert "我是值班的李老师" in heard
    assert "解决了吗" not in heard
    assert "不做打分" in await chat.say(f"评价 {number}")


# ── it stays with the desk ───────────────────────────────────────────────────────────────────────────────────────────


async def test_it_cannot_be_withdrawn_silently(house: House) -> None:
    chat = house.chat()
    await chat.say("我在中山，我不想活了")
    number = (await the_crisis_ticket(house)).number
    for said in ("撤回", f"撤回 {number}"):
        assert "先跟你确认一下平安" in await chat.say(said)
    assert (await house.ticket(number)).status == "dispatched"
    assert (await written(house, number))[1:] == ["撤回", f"撤回 {number}"], "the desk reads that they wanted to"


async def test_it_cannot_be_moved_to_another_unit(small_house: House) -> None:
    chat = small_house.chat()
    await chat.say("我在中山，我不想活了")
    number = (await the_crisis_ticket(small_house)).number
    assert "不能换部门" in await chat.say(f"换部门 {number}")
    await chat.say("查进度")
    assert "换部门" not in chat.buttons
    assert "撤回" not in chat.buttons


@pytest.mark.parametrize(("unit", "sees"), [(DESK, True), ("gd-zs", False), (PROVINCE_DESK, False), ("gd", False)])
async def test_only_the_desk_itself_sees_it(small_house: House, unit: str, sees: bool) -> None:
    await small_house.chat().say("我在中山，我不想活了")
    number = (await the_crisis_ticket(small_house)).number
    responder = await small_house.responder(unit)
    async with small_house.process.database.reading() as session:
        if sees:
            assert (await ticket_for_responder(session, responder, number)).number == number
        else:
            with pytest.raises(NotFound):
                await ticket_for_responder(session, responder, number)


async def test_progress_does_not_say_what_it_is_about(small_house: House) -> None:
    chat = small_house.chat()
    await chat.say("我在中山，我不想活了")
    said = await chat.say("查进度")
    assert "保密工单" in said
    assert "危机" not in said


# ── worrying, but not acute ──────────────────────────────────────────────────────────────────────────────────────────

WATCH = "最近压力好大，感觉撑不住了"


async def _offered(chat: Chat, text: str) -> str:
    said = await chat.say(text)
    assert list(chat.buttons.values())[-1] == "/crisis", said
    return said


async def test_a_worrying_word_offers_a_person_and_opens_nothing(house: House) -> None:
    chat = house.chat()
    said = await _offered(chat, WATCH)
    assert HOTLINE in said
    assert await crisis_tickets(house) == []
    await chat.say("菜单")
    assert await crisis_tickets(house) == []


async def test_accepting_the_offer_opens_the_ticket_with_the_words_that_worried(house: House) -> None:
    chat = house.chat()
    await _offered(chat, WATCH)
    assert "值班老师" in await chat.press("请值班老师联系我")
    ticket = await the_crisis_ticket(house)
    assert await written(house, ticket.number) == [WATCH]
    assert (ticket.sensitivity, ticket.urgency) == ("restricted", "critical")


@pytest.mark.parametrize("text", ["有人性骚扰我", "教练总是让孩子单独留下", "家里没人管我", "他威胁我", WATCH])
async def test_nobody_is_said_to_be_coming_while_nobody_is_told(small_house: House, text: str) -> None:
    """What a reply promises must exist: without a ticket no one will call."""
    chat = small_house.chat()
    said = await _offered(chat, text)
    assert await crisis_tickets(small_house) == []
    for promise in ("会有专人联系你", "已经把", "我已通知", "已经通知"):
        assert promise not in said


async def test_a_worrying_word_in_a_form_offers_a_person_and_the_form_goes_on(small_house: House) -> None:
    chat = small_house.chat()
    await chat.say("求助", WAGES)
    await _offered(chat, "我真的撑不住了，家里等着用钱")
    assert "请确认" in await chat.say("匿名")
    assert await crisis_tickets(small_house) == []


async def test_the_clock_of_a_crisis_runs_like_any_other(small_house: House) -> None:
    await small_house.chat().say("我不想活了")
    assert (await the_crisis_ticket(small_house)).due_at == datetime(2026, 11, 27, 2, 0, tzinfo=UTC)
