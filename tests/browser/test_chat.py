"""The chat page in a real browser: what is sent, kept, shown elsewhere, and reachable without a mouse or a script."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, Route, expect

from tests.browser.people import PHONE, Requester, Visits, is_same, is_sending, stamp

QUESTION = "怎么入团？"
ANSWER = "怎么申请加入共青团"


# ── kept and shared ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_conversation_is_still_there_after_a_reload(somebody: Requester) -> None:
    await somebody.say(QUESTION)
    await somebody.press("没帮助")
    heard, offered = await somebody.heard(), await somebody.offered()
    assert len(heard) == 4
    await somebody.page.reload()
    assert await somebody.heard() == heard
    assert await somebody.offered() == offered
    assert "【" in await somebody.press(offered[0]), "a button from before the reload still works"


async def test_a_draft_survives_a_reload(somebody: Requester) -> None:
    await somebody.box.fill("还没写完的话")
    await somebody.page.reload()
    await expect(somebody.box).to_have_value("还没写完的话")


async def test_a_second_tab_of_the_same_browser_shows_the_messages_at_once(somebody: Requester) -> None:
    tab = Requester(await somebody.page.context.new_page())
    await tab.come()
    await stamp(tab.page)
    await somebody.say(QUESTION)
    await tab.wait_for(ANSWER, side="bot")
    assert await tab.heard("person") == [QUESTION]
    assert await tab.offered() == ["有帮助", "没帮助"]
    assert await is_same(tab.page)
    await tab.press("有帮助")
    await somebody.wait_for("谢谢反馈", side="bot")
    assert await somebody.heard() == await tab.heard()
    await expect(somebody.choices).to_be_hidden()


async def test_another_browser_sees_nothing_of_the_conversation(somebody: Requester, visits: Visits) -> None:
    stranger = Requester(await visits.new())
    await stranger.come()
    await somebody.say(QUESTION)
    await stranger.say("你好")  # whatever was to arrive has arrived by now
    assert await stranger.heard("person") == ["你好"]
    assert ANSWER not in "\n".join(await stranger.heard())
    await stranger.page.reload()
    assert ANSWER not in "\n".join(await stranger.heard())


@pytest.mark.parametrize(
    ("language", "lang", "label", "greeting"),
    [
        ("简体", "zh-Hans", "写给青声的话", "有事，说一声"),
        ("繁體", "zh-Hant", "寫給青聲的話", "有事，說一聲"),
        ("English", "en", "Your message to Qingsheng", "Something on your mind? Say it here"),
    ],
    ids=["zh_CN", "zh_TW", "en"],
)
async def test_the_chosen_language_stays(page: Page, language: str, lang: str, label: str, greeting: str) -> None:
    await page.goto("/")
    switch = page.get_by_role("navigation", name="语言")
    await switch.get_by_role("link", name=language).click()
    for address in ("/", "/cases", "/console/sign-in", "/"):
        await page.goto(address)
        assert await page.locator("html").get_attribute("lang") == lang, address
        await expect(page.locator(".lang-switch [aria-current=true]")).to_have_attribute("aria-label", language)
    await expect(page.get_by_role("heading", level=1)).to_have_text(greeting)
    await expect(page.get_by_role("textbox", name=label)).to_be_visible()


async def test_replies_come_in_the_chosen_language(page: Page) -> None:
    await page.goto("/?lang=en")
    box = page.locator("#text")
    async with page.expect_response(is_sending) as sent:
        await box.fill("菜单")
        await box.press("Enter")
    replies = (await (await sent.value).json())["messages"][1:]
    assert all(character.isascii() for character in replies[0]["text"][:20]), replies[0]["text"]


# ── typing ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_enter_sends_and_shift_enter_breaks_the_line(somebody: Requester) -> None:
    box = somebody.box
    await box.press_sequentially("第一行")
    await box.press("Shift+Enter")
    await box.press_sequentially("第二行")
    await expect(box).to_have_value("第一行\n第二行")
    assert await somebody.heard("person") == []
    async with somebody.page.expect_response(is_sending):
        await box.press("Enter")
    assert await somebody.heard("person") == ["第一行\n第二行"]
    await expect(box).to_have_value("")


async def test_an_empty_message_is_not_sent(somebody: Requester) -> None:
    box = somebody.box
    await box.fill(" \n ")
    await box.press("Enter")
    await somebody.page.get_by_role("button", name="发送").click()
    await somebody.say("你好")
    assert await somebody.heard("person") == ["你好"]


async def test_enter_that_chooses_a_word_of_the_input_method_does_not_send(somebody: Requester) -> None:
    page, box = somebody.page, somebody.box
    await box.focus()
    keyboard = await page.context.new_cdp_session(page)
    await keyboard.send("Input.imeSetComposition", {"text": "gong zi", "selectionStart": 7, "selectionEnd": 7})
    enter = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
    await keyboard.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **enter})  # Chromium: isComposing is set
    await keyboard.send("Input.dispatchKeyEvent", {"type": "keyUp", **enter})
    await keyboard.send("Input.insertText", {"text": "工资"})
    await expect(box).to_have_value("工资")
    # Safari ends the composition first; its Enter then has the key code 229.
    await box.evaluate(
        """box => {
            box.dispatchEvent(new CompositionEvent("compositionstart", {data: ""}));
            box.dispatchEvent(new CompositionEvent("compositionend", {data: "工资"}));
            const enter = {key: "Enter", keyCode: 229, bubbles: true, cancelable: true};
            box.dispatchEvent(new KeyboardEvent("keydown", enter));
        }"""
    )
    await expect(box).to_have_value("工资")
    assert await somebody.heard("person") == []
    async with page.expect_response(is_sending):
        await box.press("Enter")
    assert await somebody.heard("person") == ["工资"]


# ── a bad connection ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_without_a_network_the_message_waits_and_is_sent_once_when_it_is_back(visits: Visits) -> None:
    page = await visits.new(viewport=PHONE)  # only a page that shares its process with no other hears of being offline
    somebody = Requester(page)
    await somebody.come()
    await page.context.set_offline(True)
    await somebody.box.fill(QUESTION)
    await somebody.box.press("Enter")
    waiting = page.locator(".msg-person.is-offline")
    await expect(waiting).to_contain_text("没有网络，还没发出")
    await expect(page.locator("#connection")).to_have_text("你现在没有网络")
    await waiting.get_by_role("button", name="重发").click()
    await expect(waiting).to_contain_text("没有网络，还没发出")
    await page.context.set_offline(False)
    await somebody.wait_for(ANSWER, side="bot")
    await expect(waiting).to_have_count(0)
    assert await somebody.heard("person") == [QUESTION]
    assert len(await somebody.heard("bot")) == 1


async def test_a_message_whose_answer_was_lost_is_sent_again_and_counted_once(somebody: Requester) -> None:
    page = somebody.page
    attempts: list[str] = []

    async def lose_the_first_answer(route: Route) -> None:
        if route.request.method != "POST":
            await route.continue_()
            return
        attempts.append(route.request.post_data_json["client_id"])
        if len(attempts) == 1:
            await route.fetch()  # it has arrived…
            await route.abort()  # …and nobody hears of it
        else:
            await route.continue_()

    await page.route("**/chat/events*", lambda route: route.abort())  # nor does the stream tell
    await page.route("**/chat/messages*", lose_the_first_answer)
    await page.reload()
    await page.route("**/chat/messages?after=*", lambda route: route.abort())
    await somebody.box.fill(QUESTION)
    await somebody.box.press("Enter")
    failed = page.locator(".msg-person.is-failed")
    await expect(failed).to_contain_text("没发出去")
    await failed.get_by_role("button", name="重发").click()
    await somebody.wait_for(ANSWER, side="bot")
    assert len(attempts) == 2
    assert len(set(attempts)) == 1, "the same message has another id the second time"
    await page.unroute_all()
    await page.reload()
    assert await somebody.heard("person") == [QUESTION]
    assert len(await somebody.heard("bot")) == 1


async def test_a_failed_message_can_be_taken_back_and_changed(somebody: Requester) -> None:
    page = somebody.page
    await page.route("**/chat/messages", lambda route: route.abort())
    await somebody.box.fill("写错了的话")
    await somebody.box.press("Enter")
    failed = page.locator(".msg-person.is-failed")
    await failed.get_by_role("button", name="拿回来改").click()
    await expect(failed).to_have_count(0)
    await expect(somebody.box).to_have_value("写错了的话")
    await expect(somebody.box).to_be_focused()


async def test_a_message_that_was_not_sent_is_offered_again_after_a_reload(somebody: Requester) -> None:
    page = somebody.page
    await page.route("**/chat/messages", lambda route: route.abort())
    await somebody.box.fill(QUESTION)
    await somebody.box.press("Enter")
    await expect(page.locator(".msg-person.is-failed")).to_be_visible()
    await page.unroute_all()
    await page.reload()
    failed = page.locator(".msg-person.is-failed")
    await expect(failed).to_contain_text("上次没发出去")
    await failed.get_by_role("button", name="重发").click()
    await somebody.wait_for(ANSWER, side="bot")
    assert await somebody.heard("person") == [QUESTION]


# ── without a mouse, without eyes, without a script ──────────────────────────────────────────────────────────────────


async def test_the_whole_round_works_by_keyboard_alone(somebody: Requester) -> None:
    page = somebody.page
    await page.keyboard.press("Tab")  # the skip link comes first
    await expect(page.locator(".skip-link")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(somebody.box).to_be_focused()
    await page.keyboard.type(QUESTION)
    await page.keyboard.press("Enter")
    await somebody.wait_for(ANSWER, side="bot")
    await page.keyboard.press("Shift+Tab")  # back from the input: the last button
    await expect(somebody.choices.get_by_role("button", name="没帮助")).to_be_focused()
    await page.keyboard.press("Shift+Tab")
    await expect(somebody.choices.get_by_role("button", name="有帮助", exact=True)).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await somebody.wait_for("没帮上", side="bot")
    await expect(somebody.box).to_be_focused()
    assert await somebody.heard("person") == [QUESTION, "没帮助"]


async def test_new_messages_are_announced_to_a_screen_reader(somebody: Requester) -> None:
    log = somebody.page.get_by_role("log", name="对话")
    await expect(log).to_have_attribute("aria-live", "polite")
    await somebody.say(QUESTION)
    await expect(log.get_by_text(ANSWER)).to_be_visible()
    await expect(somebody.page.locator("#announce[role=status]")).to_have_text("可以选：有帮助、没帮助")


async def test_the_reader_of_a_long_answer_begins_at_its_beginning_and_sees_the_buttons(visits: Visits) -> None:
    somebody = Requester(await visits.new(viewport=PHONE))
    await somebody.come()
    await somebody.say("老板拖欠工资怎么办")
    newest = somebody.page.locator("#log .msg-bot").last
    await expect(newest.get_by_text("【被拖欠工资怎么办？】")).to_be_in_viewport()
    await expect(somebody.choices.get_by_role("button").first).to_be_in_viewport(ratio=1)


async def test_without_javascript_questions_are_answered_and_buttons_work(visits: Visits) -> None:
    page = await visits.new(java_script_enabled=False)
    await page.goto("/")
    await Requester(page).box.fill(QUESTION)
    await page.get_by_role("button", name="发送").click()
    await expect(page.locator("#log .msg-bot .msg-bubble")).to_contain_text(ANSWER)
    choices = page.get_by_role("group", name="可以直接选")
    await choices.get_by_role("button", name="没帮助").click()
    await expect(page.locator("#log .msg-person .msg-bubble")).to_have_text([QUESTION, "没帮助"])
    await expect(page.locator("#log .msg-bot .msg-bubble").last).to_contain_text("没帮上")
    related = choices.get_by_role("button").first
    title = await related.inner_text()
    await related.click()
    await expect(page.locator("#log .msg-bot .msg-bubble").last).to_contain_text(f"【{title}】")
    await expect(page.locator("#log .msg-person .msg-bubble").last).to_have_text(title)
    await page.get_by_role("link", name="刷新看看").click()
    await expect(page.locator("#log .msg-person")).to_have_count(3)


async def test_without_javascript_a_ticket_can_be_opened(visits: Visits) -> None:
    page = await visits.new(java_script_enabled=False)
    await page.goto("/")
    for words in ("求助", "老板拖欠工资三个月，在古镇一家灯饰厂"):
        await Requester(page).box.fill(words)
        await page.get_by_role("button", name="发送").click()
    for title in ("匿名", "确认提交"):
        await page.get_by_role("group", name="可以直接选").get_by_role("button", name=title, exact=True).click()
    await expect(page.locator("#log .msg-bot .msg-bubble").last).to_contain_text("中山市古镇镇总工会首接负责")
