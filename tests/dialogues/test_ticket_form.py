"""Asking for help: only what is missing is asked, and there is always a way back, aside and out."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import func, select

from handlers.ticket_form import Step
from storage import conversations
from storage.models import Ticket
from tests.house import WAGES, XIAOLAN_UNION, Chat, House

VAGUE = (
    "我遇到了麻烦事，想请人帮一下忙",
    "有一件事情想请你们帮忙看看",
    "最近有点事情搞不定，想找个人",
    "遇到一件不公平的事情，希望有人管",
)
ASKS = {
    Step.TEXT: "请用自己的话说说发生了什么",
    Step.TOPIC: "你的事更接近哪一类",
    Step.PLACE: "区县（镇街）",
    Step.ANONYMOUS: "要不要匿名",
    Step.CONTACT: "要不要留一个联系方式",
    Step.CONFIRM: "请确认：",
}
PHONE = "13800138000"


def asked(said: str) -> Step:
    """The question that the last line of an answer asks."""
    found = [(said.rfind(words), step) for step, words in ASKS.items()]
    place, step = max(found)
    assert place >= 0, said
    return step


async def count_tickets(house: House) -> int:
    async with house.process.database.reading() as session:
        return (await session.execute(select(func.count()).select_from(Ticket))).scalar_one()


async def ask_vaguely(chat: Chat) -> str:
    """Start a form whose topic the service has to ask for; what it said."""
    for text in VAGUE:
        said = await chat.say("取消", "求助", text)
        if asked(said) is Step.TOPIC:
            return said
    pytest.fail(f"none of {VAGUE} is unclear to today's engine")


# ── only what is missing ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_bare_request_is_asked_for_everything_in_turn(small_house: House) -> None:
    chat = small_house.chat()
    assert asked(await chat.say("求助")) is Step.TEXT
    assert asked(await chat.say("老板拖欠工资两个月不给")) is Step.PLACE
    assert asked(await chat.say("中山小榄")) is Step.ANONYMOUS
    assert asked(await chat.say("不匿名")) is Step.CONTACT
    assert asked(await chat.say(PHONE)) is Step.CONFIRM


async def test_what_was_told_at_once_is_not_asked_again(small_house: House) -> None:
    chat = small_house.chat()
    assert asked(await chat.say("求助", WAGES)) is Step.ANONYMOUS
    assert asked(await chat.say("匿名")) is Step.CONFIRM


async def test_the_summary_shows_what_will_be_sent_and_to_whom(small_house: House) -> None:
    chat = small_house.chat()
    summary = await chat.say("求助", WAGES, "不匿名", f"微信 {PHONE}")
    for words in ("事项：拖欠工资", f"说明：{WAGES}", "地点：中山市小榄镇", "不匿名", PHONE, "中山市小榄镇总工会"):
        assert words in summary
    assert list(chat.buttons) == ["确认提交", "上一步", "取消"]
    assert await count_tickets(small_house) == 0, "nothing is opened before the person confirms"


async def test_a_school_is_a_place(small_house: House) -> None:
    chat = small_house.chat()
    assert asked(await chat.say("求助", "学校食堂饭菜又贵又差劲")) is Step.PLACE
    summary = await chat.say("松苑中学", "匿名")
    assert "中山市东区" in summary
    assert "松苑中学" in summary
    ticket = await small_house.ticket(chat.opened(await chat.press("确认提交")))
    assert ticket.area_code == "442000"
    assert ticket.member_unit is not None


async def test_a_place_that_nobody_knows_is_kept_and_sorted_out_by_the_desk(house: House) -> None:
    chat = house.chat()
    opened = await chat.say("求助", "老板拖欠工资两个月不给", "火星基地", "火星基地", "匿名", "确认")
    assert "归属还要核对" in opened
    ticket = await house.ticket(chat.opened(opened))
    assert (ticket.place, ticket.area_code, ticket.status) == ("火星基地", None, "triage")
    assert ticket.unit_code == "gd-12355"


async def test_who_cannot_say_where_may_skip_it(small_house: House) -> None:
    chat = small_house.chat()
    await chat.say("求助", "老板拖欠工资两个月不给")
    assert asked(await chat.press("跳过")) is Step.ANONYMOUS
    ticket = await small_house.ticket(chat.opened(await chat.say("匿名", "确认")))
    assert (ticket.place, ticket.status) == (None, "triage")


async def test_an_unclear_topic_is_asked_with_choices(small_house: House) -> None:
    chat = small_house.chat()
    await ask_vaguely(chat)
    *choices, none, back, cancel = chat.buttons
    assert 1 <= len(choices) <= 3
    assert (none, back, cancel) == ("都不是", "上一步", "取消")
    assert asked(await chat.say("1")) is Step.PLACE
    summary = await chat.say("中山小榄", "匿名")
    assert f"事项：{choices[0]}\n" in summary


async def test_a_topic_that_stays_unclear_goes_to_the_sorting_desk(house: House) -> None:
    chat = house.chat()
    await ask_vaguely(chat)
    await chat.press("都不是")
    ticket = await house.ticket(chat.opened(await chat.say("中山小榄", "匿名", "确认")))
    assert ticket.topic == "other.unclear"
    assert ticket.unit_code == "gd-zs-12355"


async def test_a_description_in_a_word_is_asked_again(small_house: House) -> None:
    chat = small_house.chat()
    await chat.say("求助")
    assert "信息有点少" in await chat.say("啊")
    assert asked(await chat.say(WAGES)) is Step.ANONYMOUS


async def test_a_long_answer_about_the_place_is_kept_in_the_description(small_house: House) -> None:
    chat = small_house.chat()
    await chat.say("求助", "老板拖欠工资两个月不给")
    number = chat.opened(await chat.say("在小榄，工头姓黄，带着我们十几个人干活", "匿名", "确认"))
    assert "工头姓黄" in (await small_house.ticket(number)).text


# ── aside, back, out ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_question_in_between_is_answered_and_the_form_goes_on(small_house: House) -> None:
    chat = small_house.chat()
    await chat.say("求助", WAGES)
    said = await chat.say("怎么入团？")
    assert "【怎么申请加入共青团？】" in said
    assert "回到刚才的登记" in said
    assert asked(said) is Step.ANONYMOUS
    number = chat.opened(await chat.say("匿名", "确认"))
    assert (await small_house.ticket(number)).text == WAGES, "the question is no part of the case"


@pytest.mark.parametrize("word", ["上一步", "返回", "back"])
async def test_back_returns_question_by_question(small_house: House, word: str) -> None:
    chat = small_house.chat()
    await chat.say("求助", "老板拖欠工资两个月不给", "中山小榄", "不匿名", PHONE)
    steps = [asked(await chat.say(word)) for _ in range(4)]
    assert steps == [Step.CONTACT, Step.ANONYMOUS, Step.PLACE, Step.TEXT]
    assert asked(await chat.say("上一步")) is Step.TEXT, "there is nothing before the first question"


async def test_an_answer_given_anew_after_going_back_replaces_the_first(small_house: House) -> None:
    chat = small_house.chat()
    await chat.say("求助", "老板拖欠工资两个月不给", "中山古镇", "匿名")
    await chat.press("上一步")
    await chat.press("上一步")
    summary = await chat.say("中山小榄", "匿名")
    assert "地点：中山市小榄镇" in summary
    assert "中山市小榄镇总工会" in summary


async def test_cancelling_forgets_the_form(small_house: House) -> None:
    chat = small_house.chat()
    await chat.say("求助", WAGES)
    assert "已取消" in await chat.say("取消")
    assert "没有正在填的内容" in await chat.say("继续")
    assert asked(await chat.say("求助")) is Step.TEXT
    assert await count_tickets(small_house) == 0


async def test_the_form_waits_while_progress_is_looked_up(small_house: House) -> None:
    chat = small_house.chat()
    await chat.say("求助", WAGES)
    assert "没有查到你的工单" in await chat.say("查进度")
    assert asked(await chat.say("继续")) is Step.ANONYMOUS


async def test_no_to_the_summary_goes_back_instead_of_sending(small_house: House) -> None:
    chat = small_house.chat()
    await chat.say("求助", WAGES, "匿名")
    assert asked(await chat.say("不对")) is Step.ANONYMOUS
    assert await count_tickets(small_house) == 0


async def test_more_details_at_the_summary_are_added(small_house: House) -> None:
    chat = small_house.chat()
    await chat.say("求助", WAGES, "匿名")
    said = await chat.say("一共欠我一万二千块，还有十几个工友")
    assert "加到说明里" in said
    assert asked(said) is Step.CONFIRM
    ticket = await small_house.ticket(chat.opened(await chat.say("确认")))
    assert ticket.text == f"{WAGES}\n一共欠我一万二千块，还有十几个工友"


# ── who sees what ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_contact_is_optional_and_reaches_the_desk_when_given(small_house: House) -> None:
    chat = small_house.chat()
    number = await chat.open_ticket(WAGES, "不匿名", PHONE)
    assert (await small_house.ticket(number)).contact == PHONE
    page = await small_house.desk_page(XIAOLAN_UNION, f"/console/tickets/{number}")
    assert PHONE in page.text
    without = await small_house.chat().open_ticket(WAGES, "不匿名", "不留")
    assert (await small_house.ticket(without)).contact is None


async def test_who_becomes_anonymous_after_giving_a_contact_is_not_shown_at_the_desk(small_house: House) -> None:
    chat = small_house.chat()
    await chat.say("求助", WAGES, "不匿名", PHONE, "上一步", "上一步")
    number = chat.opened(await chat.say("匿名", "确认"))
    ticket = await small_house.ticket(number)
    assert (ticket.is_anonymous, ticket.contact) == (True, None)
    page = await small_house.desk_page(XIAOLAN_UNION, f"/console/tickets/{number}")
    assert page.status_code == 200
    assert PHONE not in page.text
    assert chat.sender not in page.text
    assert "匿名" in page.text


@pytest.mark.parametrize(
    ("secret", "kept"),
    [
        ("11010519491231002X", "110*************2X"),
        ("4111 1111 1111 1111", "411***********11"),
    ],
    ids=["identity card", "bank card"],
)
async def test_card_numbers_are_starred_out_in_the_ticket_and_pointed_out(house: House, secret: str, kept: str) -> None:
    chat = house.chat()
    summary = await chat.say("求助", f"{WAGES}，我的号码是{secret}", "匿名")
    assert "已经遮住" in summary
    assert secret not in summary
    number = chat.opened(await chat.say("确认"))
    await chat.say(f"补充 {number}", f"再说一遍{secret}")
    ticket = await house.ticket(number)
    texts = [ticket.text, ticket.title, *(event.text for event in await house.events(number))]
    assert not any(secret in text for text in texts)
    assert kept in ticket.text
    page = await house.desk_page(XIAOLAN_UNION, f"/console/tickets/{number}")
    assert secret not in page.text


async def test_numbers_that_are_no_card_are_left_alone(small_house: House) -> None:
    chat = small_house.chat()
    summary = await chat.say("求助", f"{WAGES}，订单号202611240000123456", "匿名")
    assert "已经遮住" not in summary
    ticket = await small_house.ticket(chat.opened(await chat.say("确认")))
    assert "202611240000123456" in ticket.text


# ── once is enough ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_same_words_again_are_pointed_out_before_a_second_ticket(house: House) -> None:
    chat = house.chat()
    number = await chat.open_ticket()
    again = await chat.say("求助", f"{WAGES}！", "匿名", "确认")
    assert f"你刚提过同样的事（{number}）" in again
    assert await count_tickets(house) == 1
    second = chat.opened(await chat.press("另开一单"))
    assert second != number
    assert await count_tickets(house) == 2


async def test_the_same_words_of_somebody_else_are_their_own_case(small_house: House) -> None:
    numbers = {await small_house.chat().open_ticket() for _ in range(3)}
    assert len(numbers) == 3


async def test_the_same_words_a_day_later_are_a_new_case(small_house: House) -> None:
    chat = small_house.chat()
    first = await chat.open_ticket()
    small_house.clock.forward(hours=25)
    assert await chat.open_ticket() != first


async def test_confirming_twice_opens_one_ticket(house: House) -> None:
    chat = house.chat()
    await chat.say("求助", WAGES, "匿名")
    confirm = chat.buttons["确认提交"]
    chat.opened(await chat.say(confirm))
    assert "过期" in await chat.say(confirm)
    assert await count_tickets(house) == 1


# ── buttons ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "payload", ["/form:confirm", "/form:again", "/form:topic:labor.wages", "/form:skip", "/nonsense"]
)
@pytest.mark.parametrize(
    "before", [(), ("求助",), ("求助", WAGES)], ids=["no form", "description asked", "anonymity asked"]
)
async def test_a_button_that_was_not_given_out_is_not_obeyed(
    small_house: House, payload: str, before: tuple[str, ...]
) -> None:
    chat = small_house.chat()
    if before:
        await chat.say(*before)
    assert "过期" in await chat.say(payload)
    assert await count_tickets(small_house) == 0
    if before:
        summary = await chat.say("继续", *(() if WAGES in before else (WAGES,)), "匿名")
        assert "form" not in summary, "a payload is no part of the description"
        assert asked(summary) is Step.CONFIRM


async def test_a_button_of_another_conversation_is_not_obeyed(house: House) -> None:
    owner, stranger = house.chat(), house.chat()
    number = await owner.open_ticket()
    await owner.say("撤回")
    payload = owner.buttons["确认撤回"]
    assert "过期" in await stranger.say(payload)
    assert (await house.ticket(number)).status == "dispatched"
    assert "已撤回" in await owner.say(payload)


async def test_an_old_button_of_the_form_does_not_skip_what_is_asked_now(small_house: House) -> None:
    chat = small_house.chat()
    await chat.say("求助", "老板拖欠工资两个月不给")
    skip = chat.buttons["跳过"]
    await chat.say("中山小榄")
    said = await chat.say(skip)
    assert "过期" in said
    assert asked(said) is Step.ANONYMOUS


async def test_a_button_from_long_ago_has_expired(small_house: House) -> None:
    chat = small_house.chat()
    await chat.say("怎么入团？")
    thumb = chat.buttons["有帮助"]
    for question in ("菜单", "你好", "菜单", "你好"):
        await chat.say(question)
    assert "过期" in await chat.say(thumb)


async def test_two_messages_at_once_do_not_lose_an_answer(house: House) -> None:
    """Whichever comes first, the second sees what the first has changed."""
    chat = house.chat()
    await chat.say("求助", WAGES)
    await asyncio.gather(chat.send("匿名"), chat.send("一共欠我一万二千块，还有十几个工友"))
    ticket = await house.ticket(chat.opened(await chat.say("确认")))
    assert ticket.is_anonymous
    assert "十几个工友" in ticket.text
    async with house.process.database.reading() as session:
        found = await conversations.find(session, channel="rest", account="main", peer=chat.sender)
        assert found is not None
        assert len(await conversations.transcript(session, found.id)) == found.next_seq - 1
