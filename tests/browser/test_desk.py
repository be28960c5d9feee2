"""The desk in a real browser: who sees what, and what reaches whom."""

from __future__ import annotations

import re

from playwright.async_api import Page, Response, expect

from tests.browser.people import (
    GUZHEN,
    TORCH,
    Requester,
    Service,
    SignedInAs,
    Visits,
    fill_sign_in,
    is_same,
    open_act,
    sign_in,
    stamp,
)

GUZHEN_CADRE, TORCH_CADRE = f"cadre.{GUZHEN}", f"cadre.{TORCH}"


async def go(page: Page, address: str) -> Response:
    response = await page.goto(address)
    assert response is not None
    return response


# ── signing in and out ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_wrong_password_is_told_in_a_sentence_and_nobody_is_signed_in(page: Page) -> None:
    await page.goto("/console/figures")
    await expect(page).to_have_url(re.compile(r"/console/sign-in\?next="))
    await fill_sign_in(page, GUZHEN_CADRE, "not-the-password")
    await expect(page.get_by_role("alert")).to_have_text("用户名或密码不对，或者账号已停用。")
    await expect(page.get_by_label("用户名")).to_have_value(GUZHEN_CADRE)
    await expect(page.get_by_label("密码", exact=True)).to_have_value("")
    await page.goto("/console/")
    await expect(page).to_have_url(re.compile("/console/sign-in"))


async def test_signing_in_leads_to_the_page_that_was_wanted_and_signing_out_ends_the_session(
    page: Page, service: Service
) -> None:
    await sign_in(page, "cadre.gd-zs-union", service.password, at="/console/figures")
    await expect(page).to_have_url(re.compile("/console/figures$"))
    cookies = await page.context.cookies()
    await page.locator("summary", has=page.get_by_text("承办人")).click()
    await page.get_by_role("button", name="退出登录").click()
    await expect(page.get_by_role("heading", name="登录工作台")).to_be_visible()
    await page.context.add_cookies(cookies)  # even somebody who kept the cookie is out
    await page.goto("/console/")
    await expect(page.get_by_role("heading", name="登录工作台")).to_be_visible()


async def test_who_is_disabled_is_out_at_once_on_the_open_page(visits: Visits, desk: SignedInAs) -> None:
    admin, login = await desk("admin"), "test.leaver"
    await admin.goto("/console/users")
    await admin.get_by_text("新建承办干部").click()
    await admin.locator("#new-login").fill(login)
    await admin.locator("#new-name").fill("将停用的干部")
    await admin.get_by_label("所属单位").select_option(TORCH)
    await admin.get_by_role("button", name="新建并生成密码").click()
    password = await admin.locator(".given").inner_text()

    leaver = await visits.new()
    await sign_in(leaver, login, password)
    await stamp(leaver)
    await admin.get_by_role("button", name="停用 将停用的干部").click()
    await expect(admin.get_by_role("status").first).to_contain_text("账号已停用")
    await expect(leaver.get_by_role("heading", name="登录工作台")).to_be_visible()
    await fill_sign_in(leaver, login, password)
    await expect(leaver.get_by_role("alert")).to_have_text("用户名或密码不对，或者账号已停用。")


async def test_without_javascript_a_ticket_is_answered(somebody: Requester, desk: SignedInAs) -> None:
    number = await somebody.open_ticket()
    cadre = await desk(GUZHEN_CADRE, java_script_enabled=False)
    await cadre.goto(f"/console/tickets/{number}")
    await cadre.get_by_role("button", name="受理", exact=True).click()
    await cadre.get_by_label("答复内容").fill("没有脚本也能答复。")
    await cadre.get_by_role("button", name="发送答复").click()
    await expect(cadre.locator("#live-thread")).to_contain_text("没有脚本也能答复。")
    await somebody.wait_for("没有脚本也能答复。", side="staff")


# ── who sees what ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_another_units_ticket_is_not_found_and_tells_nothing(somebody: Requester, desk: SignedInAs) -> None:
    number = await somebody.open_ticket()
    own, other = await desk(GUZHEN_CADRE), await desk(TORCH_CADRE)
    assert (await go(own, f"/console/tickets/{number}")).status == 200
    await expect(own.locator("#live-thread")).to_contain_text("灯饰厂")
    refused = await go(other, f"/console/tickets/{number}")
    assert refused.status == 404
    await expect(other.get_by_role("heading", level=1)).to_have_text("没有找到")
    shown = await other.locator("main").inner_text()
    assert "灯饰厂" not in await other.content()
    absent = await go(other, "/console/tickets/GD9912310001")
    assert absent.status == 404
    assert await other.locator("main").inner_text() == shown, "absent and forbidden can be told apart"
    await other.goto(f"/console/?view=all&q={number}")
    await expect(other.locator("[data-row]")).to_have_count(0)


async def test_the_admins_pages_do_not_exist_for_a_cadre(desk: SignedInAs) -> None:
    cadre, admin = await desk(GUZHEN_CADRE), await desk("admin")
    for address, heading in (("users", "用户"), ("units", "单位"), ("misses", "未识别")):
        assert (await go(cadre, f"/console/{address}")).status == 404
        await expect(cadre.get_by_role("heading", level=1)).to_have_text("没有找到")
        assert (await go(admin, f"/console/{address}")).status == 200
        await expect(admin.get_by_role("heading", level=1)).to_have_text(heading)
    await cadre.goto("/console/")
    await expect(cadre.get_by_role("link", name="用户", exact=True)).to_have_count(0)


async def test_the_admin_sees_users_units_and_what_was_not_understood(somebody: Requester, desk: SignedInAs) -> None:
    admin = await desk("admin")
    await somebody.say("今晚月亮和奶酪哪个更圆")
    await admin.goto("/console/misses")
    await expect(admin.locator("table.misses")).to_contain_text("今晚月亮和奶酪哪个更圆")
    await admin.get_by_role("link", name="单位", exact=True).click()
    unit = admin.get_by_role("listitem").filter(has_text=GUZHEN)
    await expect(unit).to_contain_text("中山市古镇镇总工会")
    await unit.get_by_role("link", name="看工单").click()
    await expect(admin).to_have_url(re.compile(f"unit={GUZHEN}"))
    await admin.get_by_role("link", name="用户", exact=True).click()
    await admin.get_by_label("姓名、用户名或单位").fill(GUZHEN)
    await admin.get_by_role("button", name="搜索").click()
    await expect(admin.locator("table.users tbody tr")).to_have_count(1)
    await expect(admin.locator("table.users tbody tr")).to_contain_text(GUZHEN_CADRE)


async def test_the_admin_may_look_but_not_act_and_sees_no_contact(somebody: Requester, desk: SignedInAs) -> None:
    number = await somebody.open_ticket("老板拖欠工资三个月，在古镇一家灯饰厂", "不匿名", "13800138000")
    admin = await desk("admin")
    await admin.goto(f"/console/tickets/{number}")
    await expect(admin.locator("#acts")).to_contain_text("管理员只能查看，不能办理")
    await expect(admin.locator("#acts button")).to_have_count(0)
    assert "13800138000" not in await admin.content()


# ── what reaches whom ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_new_ticket_appears_in_the_open_list(somebody: Requester, desk: SignedInAs) -> None:
    cadre, other = await desk(GUZHEN_CADRE), await desk(TORCH_CADRE)
    await cadre.goto("/console/")
    await other.goto("/console/")
    await stamp(cadre)
    number = await somebody.open_ticket()
    row = cadre.locator(f"[data-row={number}]")
    await expect(row).to_contain_text("拖欠工资")
    await expect(row).to_contain_text("待受理")
    await expect(row).to_contain_text("匿名")
    await expect(cadre.locator("#announcer")).to_contain_text("列表已更新")
    assert await is_same(cadre)
    await expect(other.locator(f"[data-row={number}]")).to_have_count(0)


async def test_an_internal_note_never_reaches_the_chat(somebody: Requester, desk: SignedInAs) -> None:
    number, note = await somebody.open_ticket(), "内部备注：这家厂去年也欠过"
    cadre = await desk(GUZHEN_CADRE)
    await cadre.goto(f"/console/tickets/{number}")
    act = await open_act(cadre, "note")
    await act.get_by_label("备注内容").fill(note)
    await act.get_by_role("button", name="保存备注").click()
    await expect(cadre.locator("#live-thread .said-note")).to_contain_text(note)
    answer = await open_act(cadre, "answer")
    await answer.get_by_label("答复内容").fill("下周一前给你结果。")
    await answer.get_by_role("button", name="发送答复").click()
    await somebody.wait_for("下周一前给你结果。", side="staff")  # what came before has arrived too
    await somebody.page.reload()
    await somebody.say(f"查进度 {number}")
    assert "去年也欠过" not in await somebody.page.content()
    mail = await somebody.page.request.get("/chat/messages?after=0")
    assert "下周一前给你结果" in await mail.text()
    assert "去年也欠过" not in await mail.text()


async def test_a_question_of_the_cadre_is_answered_in_the_chat(somebody: Requester, desk: SignedInAs) -> None:
    number = await somebody.open_ticket()
    cadre = await desk(GUZHEN_CADRE)
    await cadre.goto(f"/console/tickets/{number}")
    act = await open_act(cadre, "ask")
    await act.get_by_label("想问的问题").fill("厂名叫什么？")
    await act.get_by_role("button", name="发送追问").click()
    await expect(cadre.locator("#live-head")).to_contain_text("待补充")
    await somebody.wait_for("厂名叫什么？", side="staff")
    await stamp(cadre)
    await somebody.say("叫亮堂堂灯饰厂")
    await expect(cadre.locator("#live-thread")).to_contain_text("叫亮堂堂灯饰厂")
    await expect(cadre.locator("#live-head")).not_to_contain_text("待补充")
    assert await is_same(cadre)


async def test_what_is_being_written_survives_news_of_the_ticket(somebody: Requester, desk: SignedInAs) -> None:
    number = await somebody.open_ticket()
    cadre = await desk(GUZHEN_CADRE)
    await cadre.goto(f"/console/tickets/{number}")
    act = await open_act(cadre, "answer")
    await act.get_by_label("答复内容").fill("写到一半的答复")
    await somebody.say(f"补充 {number}")
    await somebody.say("老板今天又说没钱")
    await expect(cadre.locator("#live-thread")).to_contain_text("老板今天又说没钱")
    await expect(act.get_by_label("答复内容")).to_have_value("写到一半的答复")


async def test_a_transfer_shows_on_both_sides_and_the_ticket_leaves_the_old_unit(
    somebody: Requester, desk: SignedInAs
) -> None:
    number, reason = await somebody.open_ticket(), "厂房其实在火炬开发区"
    sender, receiver = await desk(GUZHEN_CADRE), await desk(TORCH_CADRE)
    await receiver.goto("/console/")
    await sender.goto(f"/console/tickets/{number}")
    act = await open_act(sender, "transfer")
    await act.get_by_label("按名称筛选单位").fill("火炬")
    await act.get_by_label("转给").select_option(TORCH)
    await act.get_by_label("理由").fill(reason)
    await act.get_by_role("button", name="确认转办").click()
    await expect(sender.get_by_role("status").first).to_contain_text(f"工单 {number} 已转办")
    assert (await go(sender, f"/console/tickets/{number}")).status == 404
    await expect(receiver.locator(f"[data-row={number}]")).to_be_visible()
    await receiver.locator(f"[data-row={number}] .ticket-link").click()
    await expect(receiver.locator("#live-thread .said-moved")).to_contain_text("中山市古镇镇总工会")
    await expect(receiver.locator("#live-thread")).to_contain_text(reason)
    heard = "\n".join(await somebody.heard())
    assert f"{number}由中山市古镇镇总工会转到中山火炬开发区总工会，原因：{reason}" in heard


async def test_closing_with_an_outcome_reaches_the_chat_and_may_be_reopened_there(
    somebody: Requester, desk: SignedInAs
) -> None:
    number = await somebody.open_ticket()
    cadre = await desk(GUZHEN_CADRE)
    await cadre.goto(f"/console/tickets/{number}")
    await cadre.get_by_role("button", name="受理", exact=True).click()
    act = await open_act(cadre, "close")
    await act.get_by_role("button", name="确认办结").click()
    assert await act.get_by_label("办理结果").evaluate("select => select.validity.valueMissing"), (
        "no outcome was chosen"
    )
    await act.get_by_label("办理结果").select_option(label="部分解决")
    await act.get_by_label("给求助人的答复").fill("已要回一个月工资，另一个月在走仲裁。")
    await act.get_by_role("button", name="确认办结").click()
    await expect(cadre.locator("#live-head")).to_contain_text("已办结")
    await expect(cadre.locator("#live-who")).to_contain_text("部分解决")
    await somebody.wait_for(f"{number}已办结", side="staff")
    last = (await somebody.heard("staff"))[-1]
    assert "结果：部分解决" in last
    assert "已要回一个月工资" in last
    await somebody.say(f"重开 {number}")
    await somebody.say("另一个月的工资还没拿到")
    await expect(cadre.locator("#live-head")).to_contain_text("第 2 次办理")


# ── finding tickets ──────────────────────────────────────────────────────────────────────────────────────────────────


async def listed(page: Page) -> list[str]:
    return [
        number or ""
        for number in [await row.get_attribute("data-row") for row in await page.locator("[data-row]").all()]
    ]


async def test_filters_search_and_views_find_the_ticket_and_leave_out_others(
    somebody: Requester, visits: Visits, desk: SignedInAs
) -> None:
    wages = await somebody.open_ticket()
    neighbour = Requester(await visits.new())
    await neighbour.come()
    injury = await neighbour.open_ticket("在古镇玻璃厂上班手被机器压伤，老板不给申报工伤")
    cadre = await desk(GUZHEN_CADRE)
    await cadre.goto("/console/")
    assert {wages, injury} <= set(await listed(cadre))

    search = cadre.get_by_label("工单号或关键词")
    for words, found in ((injury, [injury]), ("玻璃厂", [injury]), ("没有这样的词", [])):
        await search.fill(words)
        await search.press("Enter")
        await expect(cadre.locator("[data-row]")).to_have_count(len(found))
        assert await listed(cadre) == found
    await expect(cadre.get_by_text("没有符合条件的工单。")).to_be_visible()
    await cadre.get_by_role("link", name="清除条件").click()
    await expect(cadre.locator(f"[data-row={wages}]")).to_be_visible()

    topics = cadre.get_by_label("事项", exact=True)
    await topics.select_option(label=await topics.locator("option", has_text="工伤与职业安全").inner_text())
    await cadre.get_by_role("button", name="筛选").click()
    await expect(cadre.locator(f"[data-row={injury}]")).to_be_visible()
    assert wages not in await listed(cadre)

    await cadre.goto(f"/console/tickets/{injury}")
    await cadre.get_by_role("button", name="受理", exact=True).click()
    await cadre.goto("/console/")
    await cadre.get_by_role("navigation", name="工单分类").get_by_role("link", name="我受理的").click()
    await expect(cadre.locator(f"[data-row={injury}]")).to_contain_text("已受理")
    assert wages not in await listed(cadre)


async def test_a_higher_unit_sees_its_subtree_and_can_filter_by_unit(somebody: Requester, desk: SignedInAs) -> None:
    number = await somebody.open_ticket()
    above = await desk("cadre.gd-union")
    await above.goto(f"/console/?view=all&q={number}")
    assert await listed(above) == [number]
    units = above.get_by_label("承办单位", exact=True)
    await units.select_option(TORCH)
    await above.get_by_role("button", name="筛选").click()
    await expect(above.locator("[data-row]")).to_have_count(0)
    await units.select_option(GUZHEN)
    await above.get_by_role("button", name="筛选").click()
    await expect(above.locator("[data-row]")).to_have_count(1)
