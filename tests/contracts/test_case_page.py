"""The public progress page: for whoever has number and code, and with nothing personal on it."""

from __future__ import annotations

import re

import httpx
import pytest

from bot.app import create_app
from handlers import cadre
from tests.house import WAGES, XIAOLAN_UNION, House

WRONG = "AAAA2222"
NAME, PHONE, PLACE = "欧阳金丝雀", "13800138000", "金丝雀五金厂"
CANARIES = (NAME, PHONE, PLACE, "金丝雀", "十七号车间", "一万二千", "内部情况", "解决得很慢")


async def give(house: House, number: str, code: str, **headers: str) -> httpx.Response:
    return await house.client.post("/cases", data={"number": number, "code": code}, headers=headers)


async def shown(house: House, number: str, code: str) -> str:
    """The page behind the right code."""
    found = await give(house, number, code)
    assert (found.status_code, found.headers["location"]) == (303, f"/cases/{number}")
    page = await house.client.get(found.headers["location"])
    assert page.status_code == 200
    return page.text


def text_of(page: httpx.Response, *numbers: str) -> str:
    """The page without what the visitor typed."""
    text = page.text
    for number in numbers:
        text = text.replace(number, "NUMBER")
    return text


async def test_number_and_code_show_the_five_steps(house: House) -> None:
    chat = house.chat()
    number = await chat.open_ticket()
    page = await shown(house, number, chat.codes[number])
    for step in ("已接收", "核实分析", "协调解决", "已反馈", "请评价"):
        assert step in page
    assert "中山市小榄镇总工会" in page
    assert "拖欠工资" in page


@pytest.mark.parametrize("form", ["{lower}", "{half} {rest}", " {code} ", "{half}-{rest}"])
async def test_the_code_may_be_written_as_people_write(small_house: House, form: str) -> None:
    chat = small_house.chat()
    number = await chat.open_ticket()
    code = chat.codes[number]
    written = form.format(code=code, lower=code.lower(), half=code[:4], rest=code[4:])
    assert (await give(small_house, f" {number.lower()} ", written)).status_code == 303


async def test_a_wrong_code_and_an_absent_number_look_alike(house: House) -> None:
    number = await house.chat().open_ticket()
    absent = "GD2611249999"
    wrong, none = await give(house, number, WRONG), await give(house, absent, WRONG)
    assert wrong.status_code == none.status_code == 404
    assert text_of(wrong, number) == text_of(none, absent)
    assert wrong.headers.keys() == none.headers.keys()


async def test_without_a_code_every_number_asks_for_one(house: House) -> None:
    number = await house.chat().open_ticket()
    absent = "GD2611249999"
    locked, none = await house.client.get(f"/cases/{number}"), await house.client.get(f"/cases/{absent}")
    assert locked.status_code == none.status_code
    assert text_of(locked, number) == text_of(none, absent)
    assert "拖欠工资" not in locked.text


async def test_a_code_opens_its_own_case_only(small_house: House) -> None:
    chat = small_house.chat()
    first, second = await chat.open_ticket(), await chat.open_ticket(f"{WAGES}，第二次")
    assert (await give(small_house, first, chat.codes[second])).status_code == 404
    await shown(small_house, first, chat.codes[first])
    other = await small_house.client.get(f"/cases/{second}")
    assert "拖欠工资" not in other.text


@pytest.mark.parametrize("cookie", ["{number}.99999999999.0", "{number}.x.y", "{number}.².3", "..", "{number}"])
async def test_a_forged_pass_opens_nothing(small_house: House, cookie: str) -> None:
    number = await small_house.chat().open_ticket()
    raw = f"__Host-qs_case={cookie.format(number=number)}".encode("latin-1")
    page = await small_house.client.get(f"/cases/{number}", headers={"Cookie": raw})
    assert page.status_code == 200
    assert "拖欠工资" not in page.text


async def test_the_code_never_becomes_part_of_an_address(small_house: House) -> None:
    chat = small_house.chat()
    number = await chat.open_ticket()
    code = chat.codes[number]
    found = await small_house.client.get(f"/cases/{number}?code={code}")
    assert found.status_code == 303
    assert code not in found.headers["location"]
    page = await small_house.client.get(found.headers["location"])
    assert code not in page.text
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-robots-tag"] == "noindex"


async def test_nothing_personal_is_on_the_page(house: House) -> None:
    chat = house.chat()
    await chat.say("求助", f"我叫{NAME}，{PLACE}老板拖欠工资两个月，欠我一万二千，在小榄十七号车间", "不匿名")
    number = chat.opened(await chat.say(f"电话{PHONE}", "确认"))
    await chat.say("补充", f"我是{NAME}，手机{PHONE}")
    await house.act(XIAOLAN_UNION, cadre.take, number)
    await house.act(XIAOLAN_UNION, cadre.note, number, f"内部情况：{NAME}是老员工")
    await house.act(XIAOLAN_UNION, cadre.ask, number, f"{NAME}你好，十七号车间在哪？")
    await chat.say(f"{PLACE}后门，找{NAME}")
    await house.act(XIAOLAN_UNION, cadre.transfer, number, "gd-zs-union", f"{PLACE}注册地在石岐，联系{PHONE}")
    await house.act("gd-zs-union", cadre.answer, number, f"{NAME}你好，{PLACE}已同意发放一万二千。")
    await chat.say("你好", "解决了", "2", f"解决得很慢，{NAME}")
    stages = [await shown(house, number, chat.codes[number])]
    await chat.say("重开", f"还欠{NAME}一半")
    await house.act("gd-zs-union", cadre.close, number, "explained", f"请{NAME}申请仲裁，{PHONE}")
    stages.append(await shown(house, number, chat.codes[number]))
    for page in stages:
        for canary in (*CANARIES, chat.sender, "cadre."):
            assert canary not in page
    events = [event.text for event in await house.events(number)]
    assert any(NAME in text for text in events), "the canaries were there to be found"


async def test_a_restricted_case_does_not_say_what_it_is_about(small_house: House) -> None:
    chat = small_house.chat()
    number = chat.opened(await chat.say("我在中山，我不想活了"))
    page = await shown(small_house, number, chat.codes[number])
    assert "保密工单" in page
    for word in ("危机", "心理", "自杀", "不想活"):
        assert word not in re.sub(r"<footer.*?</footer>", "", page, flags=re.DOTALL)


async def test_guessing_codes_is_slowed_down_for_one_address(small_house: House) -> None:
    number = await small_house.chat().open_ticket()
    answers = [await give(small_house, f"GD26112400{nth:02}", WRONG) for nth in range(12)]
    assert [answer.status_code for answer in answers[:10]] == [404] * 10
    refused = await give(small_house, number, WRONG)
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1


async def test_guessing_one_number_is_slowed_down_whoever_guesses(small_house: House) -> None:
    chat = small_house.chat()
    number = await chat.open_ticket()
    app = create_app(small_house.process)
    statuses = []
    for nth in range(12):
        transport = httpx.ASGITransport(app, client=(f"10.0.{nth}.1", 50000))
        async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as client:
            answer = await client.post("/cases", data={"number": number, "code": WRONG})
            statuses.append(answer.status_code)
    assert statuses == [404] * 10 + [429] * 2


async def test_another_site_cannot_try_codes_for_its_visitors(small_house: House) -> None:
    chat = small_house.chat()
    number = await chat.open_ticket()
    response = await give(small_house, number, chat.codes[number], Origin="https://evil.example")
    assert response.status_code == 403


@pytest.mark.parametrize("number", ["%00", "%F0%9F%98%80", "a" * 5000, "..%2f..", "%ed%a0%80", "<script>", "GD 2611"])
async def test_any_number_in_the_address_is_just_unknown(house: House, number: str) -> None:
    page = await house.client.get(f"/cases/{number}", headers={"Accept": "text/html"})
    assert page.status_code in (200, 404)
    assert "<script>" not in page.text
    assert (await give(house, number, WRONG)).status_code in (404, 413)
