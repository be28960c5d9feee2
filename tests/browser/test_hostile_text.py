"""Whatever is typed into whatever field is shown as text and never runs; troubles of a page fail every browser test."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser.nasty import ENDLESS, MARKUP, NASTY, RIGHT_TO_LEFT, NastyTicket, assert_only_text
from tests.browser.people import GUZHEN, TORCH, Requester, SignedInAs, Visits, fill_sign_in, open_act

CADRE = f"cadre.{GUZHEN}"


async def test_the_watch_over_these_tests_notices_what_runs_and_what_is_markup(visits: Visits) -> None:
    page = await visits.new()
    await page.goto("/")
    await assert_only_text(page)
    await page.evaluate("html => { document.getElementById('log').innerHTML = html }", MARKUP)
    with pytest.raises(AssertionError):
        await assert_only_text(page)
    await page.evaluate("() => { setTimeout(() => { throw new Error('a script error') }, 0); confirm('a dialog') }")
    await page.wait_for_timeout(100)
    kinds = ("Content Security Policy", "a script error", "a dialog")
    assert all(any(kind in trouble for trouble in visits.troubles) for kind in kinds), visits.troubles
    visits.troubles.clear()


@pytest.mark.parametrize("words", [MARKUP, RIGHT_TO_LEFT, ENDLESS], ids=["markup", "right to left", "endless"])
async def test_the_chat_shows_what_was_typed(somebody: Requester, words: str) -> None:
    page = somebody.page
    tab = Requester(await page.context.new_page())  # receives it as an event, the first page as its own message
    await tab.come()
    await somebody.say(words)
    for shown in (page, tab.page):
        await expect(shown.locator("#log .msg-person .msg-text").first).to_have_text(words)
        await assert_only_text(shown)
    await page.reload()  # and the server's own markup
    await expect(page.locator("#log .msg-person .msg-text").first).to_have_text(words)
    await assert_only_text(page)


async def test_the_form_repeats_what_was_typed(visits: Visits, nasty_ticket: NastyTicket) -> None:
    page = await visits.new(storage_state=nasty_ticket.requester)
    await page.goto("/")
    summary = page.locator("#log .msg-bot .msg-text", has_text="请确认：").last
    await expect(summary).to_contain_text(f"微信 {MARKUP}")
    await expect(summary).to_contain_text(NASTY)
    await assert_only_text(page)


async def test_the_public_page_tells_nothing_of_it(page: Page, nasty_ticket: NastyTicket) -> None:
    await page.goto("/cases")
    await page.get_by_label("工单号").fill(NASTY[:64])
    await page.get_by_label("查询码").fill(MARKUP[:64])
    await page.get_by_role("button", name="查看进度").click()
    await expect(page.get_by_role("alert")).to_contain_text("对不上")
    await assert_only_text(page)
    await page.get_by_label("工单号").fill(nasty_ticket.number)
    await page.get_by_label("查询码").fill(nasty_ticket.code)
    await page.get_by_role("button", name="查看进度").click()
    await expect(page.get_by_role("heading", name="办理进度")).to_be_visible()
    assert "script>ran" not in await page.content()
    await assert_only_text(page)


async def test_the_desk_shows_the_ticket_and_every_act_as_text(desk: SignedInAs, nasty_ticket: NastyTicket) -> None:
    cadre = await desk(CADRE)
    await cadre.goto("/console/?view=all")
    await expect(cadre.locator(f"[data-row={nasty_ticket.number}]")).to_contain_text(MARKUP[:14])
    await assert_only_text(cadre)
    await cadre.locator(f"[data-row={nasty_ticket.number}] .ticket-link").click()
    await expect(cadre.locator("#live-thread")).to_contain_text(NASTY)
    await expect(cadre.locator("#live-who")).to_contain_text(f"微信 {MARKUP}")
    await assert_only_text(cadre)


ACTS = [("note", "备注内容", "保存备注"), ("ask", "想问的问题", "发送追问"), ("answer", "答复内容", "发送答复")]
ENDS = [("transfer", "理由", "确认转办"), ("close", "给求助人的答复", "确认办结")]
CHOICES = {"transfer": TORCH, "close": "solved"}


async def test_acts_of_the_cadre_reach_thread_and_chat_as_text(
    visits: Visits, somebody: Requester, desk: SignedInAs
) -> None:
    number = await somebody.open_ticket()
    cadre = await desk(CADRE)
    await cadre.goto(f"/console/tickets/{number}")
    for act, label, button in ACTS:
        form = await open_act(cadre, act)
        await form.get_by_label(label).fill(f"{act} {NASTY}")
        await form.get_by_role("button", name=button).click()
        await expect(cadre.locator("#live-thread")).to_contain_text(f"{act} {NASTY}")
        await assert_only_text(cadre, act)
    await somebody.wait_for(f"answer {NASTY}", side="staff")
    await assert_only_text(somebody.page, "chat")
    assert f"note {MARKUP}" not in await somebody.page.locator("#log").inner_text()
    await somebody.page.reload()
    await expect(somebody.page.locator("#log")).to_contain_text(f"answer {NASTY}")
    await assert_only_text(somebody.page, "chat after a reload")


async def test_the_reasons_of_a_transfer_and_the_words_of_closing_are_text(
    somebody: Requester, desk: SignedInAs
) -> None:
    number = await somebody.open_ticket()
    cadre, other = await desk(CADRE), await desk(f"cadre.{TORCH}")
    await cadre.goto(f"/console/tickets/{number}")
    form = await open_act(cadre, "transfer")
    await form.get_by_label("转给").select_option(TORCH)
    await form.get_by_label("理由").fill(f"转 {NASTY}")
    await form.get_by_role("button", name="确认转办").click()
    await expect(cadre.get_by_role("status").first).to_contain_text("已转办")
    await other.goto(f"/console/tickets/{number}")
    await expect(other.locator("#live-thread")).to_contain_text(f"转 {NASTY}")
    await other.get_by_role("button", name="受理", exact=True).click()
    form = await open_act(other, "close")
    await form.get_by_label("办理结果").select_option("solved")
    await form.get_by_label("给求助人的答复").fill(f"结 {NASTY}")
    await form.get_by_role("button", name="确认办结").click()
    await expect(other.locator("#live-head")).to_contain_text("已办结")
    await assert_only_text(other)
    await somebody.wait_for(f"结 {NASTY}", side="staff")
    await expect(somebody.page.locator("#log")).to_contain_text(f"转 {NASTY}")
    await assert_only_text(somebody.page)


async def test_ten_thousand_letters_are_refused_with_a_sentence_and_handed_back(
    somebody: Requester, desk: SignedInAs
) -> None:
    number = await somebody.open_ticket()
    cadre = await desk(CADRE)
    for act, label, button in ACTS + ENDS:
        await cadre.goto(f"/console/tickets/{number}")
        form = await open_act(cadre, act)
        if act in CHOICES:
            await form.get_by_role("combobox").select_option(CHOICES[act])
        await form.get_by_label(label).fill(ENDLESS)
        await form.get_by_role("button", name=button).click()
        await expect(cadre.get_by_role("alert")).to_contain_text("最多5000个字")
        await expect(cadre.locator(f"#act-{act}").get_by_label(label)).to_have_value(ENDLESS)
    await somebody.say(f"查进度 {number}")
    assert await somebody.heard("staff") == []


async def test_search_and_sign_in_repeat_what_was_typed(desk: SignedInAs, visits: Visits) -> None:
    cadre = await desk(CADRE)
    await cadre.goto("/console/")
    search = cadre.get_by_label("工单号或关键词")
    for words in (NASTY[:100], ENDLESS):
        await search.fill(words)
        await search.evaluate("field => field.form.requestSubmit()")
        await expect(cadre.get_by_text("没有符合条件的工单。").or_(cadre.locator("[data-row]")).first).to_be_visible()
        await expect(search).to_have_value(words[:100])
        await assert_only_text(cadre)
    stranger = await visits.new()
    await stranger.goto("/console/sign-in?next=" + "/console/%22%3E%3Csvg%20onload=ran=1%3E")
    await assert_only_text(stranger)
    await fill_sign_in(stranger, NASTY[:128], NASTY)
    await expect(stranger.get_by_role("alert")).to_contain_text("用户名或密码不对")
    await expect(stranger.get_by_label("用户名")).to_have_value(NASTY[:128])
    await assert_only_text(stranger)


async def test_the_admins_pages_show_names_and_misses_as_text(somebody: Requester, desk: SignedInAs) -> None:
    await somebody.say(NASTY)
    admin = await desk("admin")
    await admin.goto("/console/misses")
    await expect(admin.locator("table.misses")).to_contain_text(NASTY)
    await assert_only_text(admin)
    await admin.goto("/console/users")
    await admin.get_by_text("新建承办干部").click()
    await admin.locator("#new-login").fill(MARKUP[:60])
    await admin.locator("#new-name").fill(MARKUP[31:90])
    await admin.get_by_label("所属单位").select_option(TORCH)
    await admin.get_by_role("button", name="新建并生成密码").click()
    await expect(admin.get_by_role("alert")).to_contain_text("用户名只能用")
    await assert_only_text(admin)
    await admin.locator("#new-login").fill("test.markup")
    await admin.get_by_role("button", name="新建并生成密码").click()
    await expect(admin.locator("table.users")).to_contain_text(MARKUP[31:90])
    await assert_only_text(admin)
    await admin.get_by_label("姓名、用户名或单位").fill(NASTY[:60])
    await admin.get_by_role("button", name="搜索").click()
    await expect(admin.get_by_text("没有符合条件的用户。")).to_be_visible()
    await assert_only_text(admin)
