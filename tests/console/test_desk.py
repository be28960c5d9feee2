"""The desk: what each person sees, what each act does, and what is refused."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

import pytest

from bot.tasks import mark_all_overdue
from storage import outbox, tickets
from storage.models import OutboxMessage, OutboxStatus, Rating, RoutingDecision
from tests.console.conftest import CITY, OTHER, TOWN, Desk

ACTS = {
    "take": {},
    "answer": {"text": "已联系厂方。"},
    "ask": {"text": "有合同吗？"},
    "note": {"text": "只给自己看"},
    "transfer": {"text": "属市总工会", "target": CITY},
    "close": {"text": "已办妥", "outcome": "solved"},
}
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)> {{ 7*7 }} https://evil.example/"


async def event_kinds(desk: Desk, number: str) -> list[str]:
    ticket = await desk.stored(number)
    async with desk.house.process.database.reading() as session:
        return [event.kind for event in await tickets.events(session, ticket.id)]


async def test_a_unit_sees_its_subtree_and_nothing_else(desk: Desk) -> None:
    number = await desk.ticket(TOWN)
    for unit, status in ((TOWN, 200), (CITY, 200), (OTHER, 404)):
        browser = await desk.cadre(unit)
        assert (await browser.get(f"/console/tickets/{number}")).status_code == status
        assert (number in (await browser.get("/console/")).text) == (status == 200)
    admin = await desk.admin()
    assert (await admin.get(f"/console/tickets/{number}")).status_code == 200


async def test_foreign_and_absent_look_the_same(desk: Desk) -> None:
    number = await desk.ticket(TOWN)
    browser = await desk.cadre(OTHER)
    foreign = await browser.get(f"/console/tickets/{number}")
    absent = await browser.get("/console/tickets/GD2611249999")
    odd = await browser.get("/console/tickets/%00%27--")
    assert foreign.status_code == absent.status_code == odd.status_code == 404
    assert re.sub(number, "", foreign.text.split("announcer")[0]) == re.sub(
        "GD2611249999", "", absent.text.split("announcer")[0]
    )


@pytest.mark.parametrize("act", list(ACTS))
async def test_an_act_is_for_the_units_own_cadres(desk: Desk, act: str) -> None:
    number = await desk.ticket(TOWN)
    before = await event_kinds(desk, number)
    path = f"/console/tickets/{number}/{act}"
    assert (await (await desk.cadre(OTHER)).post(path, ACTS[act])).status_code == 404
    assert (await (await desk.admin()).post(path, ACTS[act])).status_code == 403
    assert await event_kinds(desk, number) == before
    response = await (await desk.cadre(TOWN)).post(path, ACTS[act])
    assert response.status_code == 303
    assert len(await event_kinds(desk, number)) > len(before)


async def test_an_unknown_act_does_not_exist(desk: Desk) -> None:
    number = await desk.ticket(TOWN)
    assert (await (await desk.cadre(TOWN)).post(f"/console/tickets/{number}/delete")).status_code == 404


async def test_from_taking_to_closing(desk: Desk) -> None:
    number = await desk.ticket(TOWN)
    browser = await desk.cadre(TOWN)
    page = f"/console/tickets/{number}"
    assert "受理</button>" in (await browser.get(page)).text
    await browser.post(f"{page}/take")
    taken = (await browser.get(page)).text
    assert f"已受理 {number}" in taken
    assert "受理</button>" not in taken
    await browser.post(f"{page}/ask", {"text": "有合同吗？"})
    await browser.post(f"{page}/note", {"text": "老板电话不通"})
    await browser.post(f"{page}/answer", {"text": "周五前发放。\n第二行"})
    answered = (await browser.get(page)).text
    assert "周五前发放。\n第二行" in answered
    assert "老板电话不通" in answered
    assert "内部" in answered
    assert "按时答复" in answered
    await browser.post(f"{page}/close", {"outcome": "solved", "text": ""})
    assert (await desk.stored(number)).status == "closed"
    closed = (await browser.get(page)).text
    assert "send_close" not in closed
    assert "办结：已解决" in closed
    assert await event_kinds(desk, number) == ["opened", "routed", "taken", "asked", "noted", "answered", "closed"]
    async with desk.house.process.database.reading() as session:
        told = [row.text for row in (await session.execute(OutboxMessage.__table__.select())).all()]
    assert any("周五前发放" in text for text in told)
    assert not any("老板电话不通" in text for text in told), "internal notes are never delivered"


async def test_a_refused_act_keeps_what_was_typed(desk: Desk) -> None:
    number = await desk.ticket(TOWN)
    browser = await desk.cadre(TOWN)
    words = "字" * 5_001
    response = await browser.post(f"/console/tickets/{number}/answer", {"text": words})
    assert response.status_code == 422
    assert words in response.text
    assert "“答复”最多5000个字" in response.text
    empty = await browser.post(f"/console/tickets/{number}/note", {"text": " \n"})
    assert empty.status_code == 422
    assert "“内部备注”不能为空" in empty.text
    wrong = await browser.post(f"/console/tickets/{number}/transfer", {"text": "理由在此", "target": "nowhere"})
    assert wrong.status_code == 422
    assert "理由在此" in wrong.text
    odd = await browser.post(f"/console/tickets/{number}/close", {"text": "收尾的话", "outcome": "withdrawn"})
    assert odd.status_code == 422
    assert "收尾的话" in odd.text


async def test_one_of_many_takes_wins(desk: Desk) -> None:
    number = await desk.ticket(TOWN)
    for unit in (TOWN, CITY):
        await desk.cadre(unit)
    browsers = [desk.people[f"cadre.{TOWN}"], desk.people[f"cadre.{CITY}"]] * 10
    csrfs = {id(browser): browser.csrf for browser in browsers}
    answers = await asyncio.gather(
        *(browser.post(f"/console/tickets/{number}/take", csrf=csrfs[id(browser)]) for browser in browsers)
    )
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [303, *[409] * 19]
    assert (await event_kinds(desk, number)).count("taken") == 1
    loser = next(answer for answer in answers if answer.status_code == 409)
    assert "处理" in loser.text


async def test_transferring_away_leads_back_to_the_list(desk: Desk) -> None:
    number = await desk.ticket(TOWN)
    browser = await desk.cadre(TOWN)
    page = (await browser.get(f"/console/tickets/{number}")).text
    assert f'value="{CITY}"' in page
    response = await browser.post(f"/console/tickets/{number}/transfer", {"text": "不归我们管", "target": CITY})
    assert response.headers["location"] == "/console/"
    assert "已转办" in (await browser.get("/console/")).text
    assert (await browser.get(f"/console/tickets/{number}")).status_code == 404
    assert "不归我们管" in (await (await desk.cadre(CITY)).get(f"/console/tickets/{number}")).text


async def test_admins_look_but_do_not_act_and_see_no_contact(desk: Desk) -> None:
    number = await desk.ticket(TOWN, is_anonymous=False, contact="13800138000", sensitivity="internal")
    hidden = await desk.ticket(TOWN, text="另一件", sensitivity="sensitive")
    admin, cadre = await desk.admin(), await desk.cadre(TOWN)
    page = (await admin.get(f"/console/tickets/{number}")).text
    assert "<textarea" not in page
    assert "13800138000" not in page
    assert "13800138000" in (await cadre.get(f"/console/tickets/{number}")).text
    assert (await admin.get(f"/console/tickets/{hidden}")).status_code == 404
    assert hidden not in (await admin.get("/console/?view=all")).text


async def test_an_anonymous_requester_shows_no_contact_and_no_channel(desk: Desk) -> None:
    number = await desk.ticket(TOWN, is_anonymous=True, contact="13800138000")
    page = (await (await desk.cadre(TOWN)).get(f"/console/tickets/{number}")).text
    assert "匿名求助人" in page
    assert "13800138000" not in page
    assert "渠道" not in page


async def test_looking_at_a_restricted_ticket_is_written_down(desk: Desk) -> None:
    number = await desk.ticket(TOWN, sensitivity="restricted")
    parent, browser = await desk.cadre(CITY), await desk.cadre(TOWN)
    assert (await parent.get(f"/console/tickets/{number}")).status_code == 404
    assert (await browser.get(f"/console/tickets/{number}")).status_code == 200
    await browser.get(f"/console/tickets/{number}")
    assert (await event_kinds(desk, number)).count("viewed") == 1
    desk.house.clock.forward(hours=2)
    page = await browser.get(f"/console/tickets/{number}")
    assert (await event_kinds(desk, number)).count("viewed") == 2
    assert "查看了这张保密工单" in page.text


async def test_hostile_words_stay_words_everywhere(desk: Desk) -> None:
    number = await desk.ticket(
        TOWN,
        text=HOSTILE,
        title=HOSTILE,
        place=HOSTILE,
        organisation=HOSTILE,
        contact=HOSTILE,
        reason=HOSTILE,
        is_anonymous=False,
    )
    ticket = await desk.stored(number)
    async with desk.house.process.database.transaction() as session:
        session.add(
            Rating(
                ticket_id=ticket.id,
                cycle=1,
                solved="no",
                satisfaction=2,
                comment=HOSTILE,
                unit_code=TOWN,
                unit_path="x",
                topic="labor.wage",
                created_at=desk.now,
            )
        )
        session.add(
            RoutingDecision(
                ticket_id=ticket.id,
                cause=HOSTILE[:20],
                rule="R<b>",
                rule_version=1,
                unit_code=TOWN,
                reason=HOSTILE,
                confidence=0.5,
                inputs={},
                candidates=[{"unit": HOSTILE, "name": HOSTILE, "chosen": False, "why": HOSTILE}],
                at=desk.now,
            )
        )
        await tickets.add_event(
            session,
            await_ticket := await tickets.by_number(session, number),
            HOSTILE[:30],
            at=desk.now,
            actor="system",
            visibility="internal",
        )
        assert await_ticket is not None
    browser = await desk.cadre(TOWN)
    for act in ("note", "ask", "answer"):
        assert (await browser.post(f"/console/tickets/{number}/{act}", {"text": HOSTILE})).status_code == 303
    refused = await browser.post(f"/console/tickets/{number}/transfer", {"text": HOSTILE, "target": HOSTILE})
    searched = await browser.get(f"/console/?view=all&q={'%3Cscript%3E'}&unit=%22%3E%3Cscript%3E&topic=%3Cb%3E")
    for page in (
        await browser.get(f"/console/tickets/{number}"),
        await browser.get("/console/?view=all"),
        refused,
        searched,
    ):
        assert "<script>" not in page.text
        assert "<img src=x" not in page.text
        assert "49 https" not in page.text, "user text must never be a template"
        assert 'href="https://evil' not in page.text
        assert "onerror=alert(1)&gt;" in page.text or page is searched


async def test_a_very_long_text_folds(desk: Desk) -> None:
    long = "长" * 100_000
    number = await desk.ticket(TOWN, text=long, reason=long)
    page = await (await desk.cadre(TOWN)).get(f"/console/tickets/{number}")
    assert page.status_code == 200
    assert '<details class="fold">' in page.text
    assert "展开其余 99300 字" in page.text


async def test_views_filters_and_search(desk: Desk) -> None:
    late = await desk.ticket(TOWN, text="很久以前的事")
    desk.house.clock.forward(hours=80)
    fresh = await desk.ticket(OTHER, text="刚刚发生的事")
    browser = await desk.cadre(CITY)

    async def shown(query: str) -> set[str]:
        page = await browser.get(f"/console/?{query}")
        assert page.status_code == 200
        return {number for number in (late, fresh) if f"/console/tickets/{number}" in page.text}

    assert await shown("") == {late, fresh}
    assert await shown("view=late") == {late}
    assert await shown("view=mine") == set()
    assert await shown(f"unit={TOWN}") == {late}
    assert await shown("unit=gd-gz") == {late, fresh}, "a unit out of reach is no filter"
    assert await shown("topic=labor") == {late, fresh}
    assert await shown("topic=league") == set()
    assert await shown("q=刚刚") == {fresh}
    assert await shown(f"q={late.lower()}") == {late}
    assert await shown("q=%25") == set()
    assert await shown("q=%00&page=abc&view=nonsense") == {late, fresh}
    assert await shown("page=99999") == {late, fresh}
    await browser.post(f"/console/tickets/{fresh}/take")
    assert await shown("view=mine") == {fresh}
    assert "超期 8 小时" in (await browser.get("/console/")).text


async def test_pages_of_the_list(desk: Desk) -> None:
    for index in range(32):
        await desk.ticket(TOWN, text=f"第{index}件事")
    browser = await desk.cadre(TOWN)
    first, second = await browser.get("/console/?view=all"), await browser.get("/console/?view=all&page=2")
    assert first.text.count("data-row=") == 30
    assert second.text.count("data-row=") == 2
    assert "第 2 / 2 页" in second.text


async def test_the_clock_says_how_long_is_left(desk: Desk) -> None:
    number = await desk.ticket(TOWN)
    browser = await desk.cadre(TOWN)
    page = f"/console/tickets/{number}"
    for hours, text, badge in (
        (0, "剩 3 天 0 小时", "ok"),
        (60, "剩 12 小时 0 分", "warn"),
        (13, "超期 1 小时 0 分", "late"),
    ):
        desk.house.clock.forward(hours=hours)
        await browser.sign_in(f"cadre.{TOWN}")
        shown = (await browser.get(page)).text
        assert re.search(rf'badge-{badge} clock"[^>]*>{text}<', shown), (hours, text)
    await mark_all_overdue(desk.house.process.database, desk.house.process.services)
    await browser.post(f"{page}/answer", {"text": "抱歉，来晚了。"})
    shown = (await browser.get(page)).text
    assert "超期答复" in shown
    assert "超期记录" in shown


async def test_what_did_not_reach_the_requester_is_shown(desk: Desk) -> None:
    number = await desk.ticket(TOWN)
    browser = await desk.cadre(TOWN)
    await browser.post(f"/console/tickets/{number}/answer", {"text": "没送到的答复"})
    ticket = await desk.stored(number)
    async with desk.house.process.database.transaction() as session:
        table = OutboxMessage.__table__
        await session.execute(
            table.update().where(table.c.ticket_id == ticket.id).values(status=OutboxStatus.UNDELIVERABLE)
        )
        assert await outbox.undeliverable(session, ticket.id)
    assert "没有送到求助人" in (await browser.get(f"/console/tickets/{number}")).text


async def test_figures_show_missing_as_missing(desk: Desk) -> None:
    number = await desk.ticket(TOWN)
    await desk.ticket(OTHER, text="别家的")
    browser = await desk.cadre(TOWN)
    page = (await browser.get("/console/figures")).text
    assert "小榄镇总工会" in page
    assert "古镇" not in page
    assert "—" in page
    assert "%" not in re.findall(r"<strong>[^<]*</strong>", page)
    await browser.post(f"/console/tickets/{number}/answer", {"text": "好"})
    ticket = await desk.stored(number)
    async with desk.house.process.database.transaction() as session:
        session.add(
            Rating(
                ticket_id=ticket.id, cycle=1, solved="partly", satisfaction=4, comment=None, unit_code=TOWN,
                unit_path="x", topic="labor.wage", created_at=desk.now,
            )
        )  # fmt: skip
    page = (await browser.get("/console/figures")).text
    assert "<strong>100%</strong>" in page
    assert "<strong>50%</strong>" in page
    assert "<strong>4.0</strong>" in page
    admin = (await (await desk.admin()).get("/console/figures")).text
    assert "古镇" in admin
    assert "合计" in admin


async def test_a_ticket_with_every_kind_of_event_has_a_sentence_for_each(desk: Desk) -> None:
    number = await desk.ticket(TOWN)
    kinds = (
        "added supplied taken answered asked noted transferred to_triage unit_changed urged closed remarked reopened "
        "withdrawn overdue viewed solved partly rated crisis_noted escalated merged"
    ).split()
    async with desk.house.process.database.transaction() as session:
        ticket = await tickets.by_number(session, number)
        assert ticket is not None
        for index, kind in enumerate(kinds):
            at = desk.now + timedelta(minutes=index)
            await tickets.add_event(session, ticket, kind, at=at, actor="system", visibility="public", text="话")
    page = await (await desk.cadre(TOWN)).get(f"/console/tickets/{number}")
    assert page.status_code == 200
    assert "其他记录" not in page.text
