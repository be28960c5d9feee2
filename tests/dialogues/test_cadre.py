"""What the requester hears of a cadre's work: taken, asked back, passed on, answered, closed."""

from __future__ import annotations

import pytest

from handlers import accounts, cadre
from handlers.errors import BadInput, NotAllowedHere, NotFound, TicketMovedOn
from storage.models import Role
from tests.house import PASSWORD, WAGES, XIAOLAN_UNION, House

OTHER_UNION = "gd-zs-union"


async def test_the_person_is_told_that_somebody_took_it(house: House) -> None:
    chat = house.chat()
    number = await chat.open_ticket()
    await house.act(XIAOLAN_UNION, cadre.take, number)
    heard = await chat.send("你好")
    assert heard[0]["text"] == f"{number}已由中山市小榄镇总工会受理，11月27日 10:00前答复。"


async def test_news_comes_before_the_answer_to_the_next_message_and_only_once(house: House) -> None:
    chat = house.chat()
    number = await chat.open_ticket()
    await house.act(XIAOLAN_UNION, cadre.take, number)
    await house.act(XIAOLAN_UNION, cadre.answer, number, "已联系厂方。")
    heard = [reply["text"] for reply in await chat.send("查进度")]
    assert ["已由" in heard[0], "已联系厂方" in heard[1], heard[2].startswith(number)] == [True, True, True]
    assert "已联系厂方" not in await chat.say("查进度")


# ── asked back ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_next_message_answers_what_the_cadre_asked(house: House) -> None:
    chat = house.chat()
    number = await chat.open_ticket()
    await house.act(XIAOLAN_UNION, cadre.ask, number, "厂名叫什么？有合同吗？")
    assert (await house.ticket(number)).status == "need_info"
    said = await chat.say("厂名是金辉五金，没有签合同")
    assert "厂名叫什么？有合同吗？" in said, "the question is heard, since this channel cannot write first"
    assert f"已加到{number}" in said
    event = (await house.events(number))[-1]
    assert (event.kind, event.text, event.actor) == ("supplied", "厂名是金辉五金，没有签合同", "requester")
    assert (await house.ticket(number)).status == "working"


async def test_after_the_answer_messages_are_read_as_ever(small_house: House) -> None:
    chat = small_house.chat()
    number = await chat.open_ticket()
    await small_house.act(XIAOLAN_UNION, cadre.ask, number, "厂名叫什么？")
    await chat.say("金辉五金")
    assert "【" in await chat.say("怎么入团？")
    assert (await small_house.events(number))[-1].kind == "supplied"


async def test_a_running_form_is_not_disturbed_by_a_cadres_question(house: House) -> None:
    chat = house.chat()
    number = await chat.open_ticket()
    await chat.say("求助", "房东不退我的押金，房子在石岐")
    await house.act(XIAOLAN_UNION, cadre.ask, number, "厂名叫什么？")
    assert "请确认" in await chat.say("匿名")
    assert (await house.ticket(number)).status == "need_info"
    second = chat.opened(await chat.press("确认提交"))
    await chat.say("金辉五金")
    assert (await house.events(number))[-1].text == "金辉五金"
    assert (await house.ticket(second)).text == "房东不退我的押金，房子在石岐"


async def test_a_third_question_is_refused(house: House) -> None:
    chat = house.chat()
    number = await chat.open_ticket()
    for question in ("厂名叫什么？", "有考勤吗？"):
        await house.act(XIAOLAN_UNION, cadre.ask, number, question)
        await chat.say("在找")
    with pytest.raises(BadInput) as refused:
        await house.act(XIAOLAN_UNION, cadre.ask, number, "还有一个问题")
    assert refused.value.wording_key == "error.asked_enough"
    ticket = await house.ticket(number)
    assert (ticket.asked_times, ticket.status) == (2, "working")


async def test_asking_does_not_stop_the_citizens_clock(small_house: House) -> None:
    chat = small_house.chat()
    number = await chat.open_ticket()
    due = (await small_house.ticket(number)).due_at
    await small_house.act(XIAOLAN_UNION, cadre.ask, number, "厂名叫什么？")
    small_house.clock.forward(hours=30)
    await chat.say("金辉五金")
    assert (await small_house.ticket(number)).due_at == due
    small_house.clock.forward(hours=43)
    assert await small_house.watch_clocks() == 1


# ── passed on ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_transfer_is_told_with_its_reason_and_the_same_due_time(house: House) -> None:
    chat = house.chat()
    number = await chat.open_ticket()
    due = (await house.ticket(number)).due_at
    house.clock.forward(hours=10)
    await house.act(XIAOLAN_UNION, cadre.transfer, number, OTHER_UNION, "厂方注册地在石岐。")
    heard = (await chat.send("你好"))[0]["text"]
    assert heard == (
        f"{number}由中山市小榄镇总工会转到中山市总工会，原因：厂方注册地在石岐。\n答复期限不变，仍是11月27日 10:00。"
    )
    ticket = await house.ticket(number)
    assert (ticket.status, ticket.unit_code, ticket.assignee_id, ticket.due_at) == (
        "dispatched",
        OTHER_UNION,
        None,
        due,
    )


async def test_the_unit_that_passed_it_on_can_do_no_more(house: House) -> None:
    number = await house.chat().open_ticket()
    await house.act(XIAOLAN_UNION, cadre.transfer, number, OTHER_UNION, "厂方注册地在石岐。")
    with pytest.raises(NotFound):
        await house.act(XIAOLAN_UNION, cadre.answer, number, "其实我来答。")
    await house.act(OTHER_UNION, cadre.answer, number, "已联系厂方。")


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("gd-zs-songyuan", "error.unit_may_not"),
        ("no-such-unit", "error.no_such_unit"),
        (XIAOLAN_UNION, "error.same_unit"),
        ("cn", "error.unit_may_not"),
    ],
)
async def test_it_is_not_passed_to_who_may_not_take_it(small_house: House, target: str, why: str) -> None:
    number = await small_house.chat().open_ticket()
    with pytest.raises(BadInput) as refused:
        await small_house.act(XIAOLAN_UNION, cadre.transfer, number, target, "不归我们。")
    assert refused.value.wording_key == why
    assert (await small_house.ticket(number)).unit_code == XIAOLAN_UNION


async def test_it_may_be_passed_to_the_sorting_desk(small_house: House) -> None:
    number = await small_house.chat().open_ticket()
    await small_house.act(XIAOLAN_UNION, cadre.transfer, number, "gd-zs-12355", "归属不清。")
    assert (await small_house.ticket(number)).status == "triage"
    await small_house.act("gd-zs-12355", cadre.transfer, number, OTHER_UNION, "由市总工会办理。")
    assert (await small_house.ticket(number)).status == "dispatched"


# ── answered, closed ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_answer_is_told_in_full_with_three_buttons(house: House) -> None:
    chat = house.chat()
    number = await chat.open_ticket()
    await house.act(XIAOLAN_UNION, cadre.answer, number, "已联系厂方，\n周五前发放。")
    heard = (await chat.send("你好"))[0]
    assert heard["text"] == (f"{number}有答复了（中山市小榄镇总工会）：\n已联系厂方，\n周五前发放。\n解决了吗？")
    assert [button["title"] for button in heard["buttons"]] == ["解决了", "部分解决", "没解决"]


async def test_an_internal_note_is_never_told(house: House) -> None:
    chat = house.chat()
    number = await chat.open_ticket()
    await house.act(XIAOLAN_UNION, cadre.note, number, "这家厂已是第三次。")
    heard = await chat.say("你好", f"查进度 {number}", "查进度")
    assert "第三次" not in heard


async def test_closing_tells_the_outcome_and_the_way_back(house: House) -> None:
    chat = house.chat()
    number = await chat.open_ticket()
    await house.act(XIAOLAN_UNION, cadre.close, number, "explained", "厂方已破产，请申请仲裁。")
    heard = (await chat.send("你好"))[0]["text"]
    assert "已说明（暂不能办）" in heard
    assert "厂方已破产，请申请仲裁。" in heard
    assert "30天内没解决可以回复“重开”" in heard
    ticket = await house.ticket(number)
    assert (ticket.status, ticket.outcome) == ("closed", "explained")


async def test_closing_without_an_answer_needs_words(small_house: House) -> None:
    number = await small_house.chat().open_ticket()
    with pytest.raises(BadInput):
        await small_house.act(XIAOLAN_UNION, cadre.close, number, "solved", "  ")
    assert (await small_house.ticket(number)).status == "dispatched", "nothing of the attempt is left"
    assert [event.kind for event in await small_house.events(number)] == ["opened", "routed"]


@pytest.mark.parametrize("outcome", ["withdrawn", "", "SOLVED", "nonsense"])
async def test_closing_needs_an_outcome_of_the_list(small_house: House, outcome: str) -> None:
    number = await small_house.chat().open_ticket()
    with pytest.raises(BadInput):
        await small_house.act(XIAOLAN_UNION, cadre.close, number, outcome, "已联系厂方。")


async def test_a_blank_answer_is_refused(small_house: House) -> None:
    number = await small_house.chat().open_ticket()
    for blank in ("", " \n\t", "\u3000"):
        with pytest.raises(BadInput):
            await small_house.act(XIAOLAN_UNION, cadre.answer, number, blank)
    assert (await small_house.ticket(number)).first_reply_at is None


async def test_a_ticket_is_taken_once(small_house: House) -> None:
    number = await small_house.chat().open_ticket()
    await small_house.act(XIAOLAN_UNION, cadre.take, number)
    with pytest.raises(TicketMovedOn) as refused:
        await small_house.act(XIAOLAN_UNION, cadre.take, number)
    assert refused.value.wording_key == "error.ticket_taken_by"


@pytest.mark.parametrize(
    ("unit", "may"), [(XIAOLAN_UNION, True), (OTHER_UNION, True), ("gd-zs-union-guzhen", False), ("gd-zs", False)]
)
async def test_a_unit_and_those_above_it_may_act_and_no_one_else(small_house: House, unit: str, may: bool) -> None:
    number = await small_house.chat().open_ticket()
    if may:
        await small_house.act(unit, cadre.take, number)
    else:
        with pytest.raises(NotFound):
            await small_house.act(unit, cadre.take, number)


async def test_an_admin_looks_and_does_not_act(small_house: House) -> None:
    number = await small_house.chat().open_ticket()
    await small_house.add_user("chief", role=Role.ADMIN)
    _, signed_in = await accounts.sign_in(small_house.process.database, "chief", PASSWORD, now=small_house.clock())
    async with small_house.process.database.transaction() as session:
        with pytest.raises(NotAllowedHere):
            await cadre.take(session, signed_in.responder, number, small_house.process.services)


async def test_the_clock_stops_at_the_first_human_answer(small_house: House) -> None:
    chat = small_house.chat()
    number = await chat.open_ticket()
    small_house.clock.forward(hours=71)
    await small_house.act(XIAOLAN_UNION, cadre.take, number)
    small_house.clock.forward(minutes=30)
    await small_house.act(XIAOLAN_UNION, cadre.answer, number, "已联系厂方。")
    small_house.clock.forward(hours=100)
    assert await small_house.watch_clocks() == 0
    assert (await small_house.ticket(number)).breached_at is None


async def test_two_tickets_of_one_person_are_answered_apart(small_house: House) -> None:
    chat = small_house.chat()
    first, second = await chat.open_ticket(), await chat.open_ticket(f"{WAGES}，第二次")
    await small_house.act(XIAOLAN_UNION, cadre.answer, second, "第二件已联系。")
    assert "第二件已联系" in await chat.say("你好")
    assert "打个分" in await chat.say("解决了")
    assert (await small_house.ticket(second)).status == "closed"
    assert (await small_house.ticket(first)).status == "dispatched"
