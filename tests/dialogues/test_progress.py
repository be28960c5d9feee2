"""查进度: one's own tickets, and with number and code also one that was opened elsewhere."""

from __future__ import annotations

import pytest

from handlers import cadre
from tests.house import WAGES, XIAOLAN_UNION, House

WRONG = "AAAA2222"


async def test_who_has_one_ticket_sees_it_at_once(house: House) -> None:
    chat = house.chat()
    number = await chat.open_ticket()
    said = await chat.say("查进度")
    assert said.startswith(f"{number}（拖欠工资）\n状态：已派单")
    assert "承办：中山市小榄镇总工会" in said
    assert "11月27日 10:00前（还有约72小时）" in said
    assert list(chat.buttons) == ["补充", "催办", "换部门", "撤回"]


async def test_who_has_several_is_shown_a_list_to_choose_from(small_house: House) -> None:
    chat = small_house.chat()
    numbers = [await chat.open_ticket(f"{WAGES}，第{nth}次") for nth in "一二三"]
    assert "你的工单共3个" in await chat.say("菜单", "取消", "查进度")
    assert list(chat.buttons.values()) == [f"/progress:{number}" for number in reversed(numbers)]
    assert (await chat.say("2")).startswith(numbers[1])


async def test_who_has_none_is_told_how_to_find_one_opened_elsewhere(small_house: House) -> None:
    assert "没有查到你的工单" in await small_house.chat().say("查进度")


async def test_a_number_in_a_sentence_is_looked_up(small_house: House) -> None:
    chat = small_house.chat()
    number = await chat.open_ticket()
    for said in (f"查进度 {number}", f"查进度{number.lower()}", number, f"帮我看看{number}到哪一步了"):
        assert (await chat.say(said)).startswith(f"{number}（"), said


async def test_the_hours_left_count_down_until_it_is_late(small_house: House) -> None:
    chat = small_house.chat()
    await chat.open_ticket()
    small_house.clock.forward(hours=70, minutes=30)
    assert "还有约2小时" in await chat.say("查进度")
    small_house.clock.forward(hours=2)
    said = await chat.say("查进度")
    assert "已经超过了，抱歉" in said


async def test_every_status_is_told_in_words(small_house: House) -> None:
    chat = small_house.chat()
    number = await chat.open_ticket()
    heard = [await chat.say("查进度")]
    for act, *words in (
        (cadre.take,),
        (cadre.ask, "厂名叫什么？"),
        (cadre.answer, "已联系厂方。"),
        (cadre.close, "solved", ""),
    ):
        await small_house.act(XIAOLAN_UNION, act, number, *words)
        heard.append(await chat.say(f"查进度 {number}"))
    statuses = ("已派单", "已受理", "等你补充", "已答复", "已办结")
    for status, said in zip(statuses, heard, strict=True):
        assert f"状态：{status}" in said


# ── somebody else's ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_number_alone_does_not_open_somebody_elses_ticket(house: House) -> None:
    number = await house.chat().open_ticket()
    stranger = house.chat()
    foreign = await stranger.say(f"查进度 {number}")
    absent = await stranger.say("查进度 GD2611249999")
    assert foreign == absent
    assert "查询码" in foreign
    assert "拖欠工资" not in foreign


async def test_a_wrong_code_and_an_absent_number_look_alike(house: House) -> None:
    number = await house.chat().open_ticket()
    stranger = house.chat()
    foreign = await stranger.say(f"查进度 {number} {WRONG}")
    absent = await stranger.say(f"查进度 GD2611249999 {WRONG}")
    assert foreign == absent == "工单号和查询码对不上，请再核对一下。"


@pytest.mark.parametrize("form", ["{code}", "{lower}", "{half} {rest}", "{half}-{rest}", "查询码{code}"])
async def test_number_and_code_show_the_progress_from_anywhere(house: House, form: str) -> None:
    owner = house.chat()
    number = await owner.open_ticket()
    code = owner.codes[number]
    written = form.format(code=code, lower=code.lower(), half=code[:4], rest=code[4:])
    elsewhere = house.chat()
    said = await elsewhere.say(f"查进度 {number} {written}")
    assert said.startswith(f"{number}（拖欠工资）")
    assert elsewhere.buttons == {}, "looking is allowed, acting is not"
    for attempt in (f"撤回 {number}", f"催办 {number}", f"补充 {number}", f"换部门 {number}", f"评价 {number}"):
        assert "没有找到" in await elsewhere.say(attempt)


async def test_a_code_opens_its_own_ticket_only(small_house: House) -> None:
    owner = small_house.chat()
    first, second = await owner.open_ticket(), await owner.open_ticket(f"{WAGES}，第二次")
    said = await small_house.chat().say(f"查进度 {first} {owner.codes[second]}")
    assert "对不上" in said


async def test_after_five_wrong_codes_not_even_the_right_one_is_read_for_a_while(house: House) -> None:
    owner, guesser = house.chat(), house.chat()
    number = await owner.open_ticket()
    for _ in range(5):
        assert "对不上" in await guesser.say(f"查进度 {number} {WRONG}")
    right = f"查进度 {number} {owner.codes[number]}"
    refused = await guesser.say(right)
    assert "试得太多次了，11月24日 10:15后再试" in refused
    assert number in await owner.say("查进度"), "the owner is not locked out"
    house.clock.forward(minutes=16)
    assert (await guesser.say(right)).startswith(number)


async def test_four_wrong_codes_leave_one_more_attempt(small_house: House) -> None:
    owner, forgetful = small_house.chat(), small_house.chat()
    number = await owner.open_ticket()
    for _ in range(4):
        await forgetful.say(f"查进度 {number} {WRONG}")
    assert (await forgetful.say(f"查进度 {number} {owner.codes[number]}")).startswith(number)


async def test_the_ticket_of_a_wechat_like_other_channel_is_private_too(small_house: House) -> None:
    """Same number, same sender name, another channel: another person until proven by the code."""
    owner = small_house.chat()
    number = await owner.open_ticket()
    stranger = small_house.chat(owner.sender + " ")
    assert "查询码" in await stranger.say(f"查进度 {number}")
