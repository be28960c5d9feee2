"""The main job as two people live it: a question, a ticket, the responsible unit, a human's answer, a rating.

SAVE_SCREENSHOTS=1 also takes the pictures of the README.
"""

from __future__ import annotations

import os
from pathlib import Path

import httpx
from playwright.async_api import Page, expect

from tests.browser.people import (
    PHONE,
    SCREEN,
    XIAOLAN,
    Requester,
    Service,
    SignedInAs,
    Visits,
    is_same,
    open_act,
    sign_in,
    stamp,
)

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
CONTACT = "微信 xiaolin-2003"
STORY = "在小榄一家五金厂，拖欠了两个月工资，一共九千多"
ANSWER = (
    "你好，我是小榄镇总工会的老师。已经和厂方谈过，厂里答应周五前把两个月工资打到你的卡上。"
    "没有到账就在这里回我，我陪你去劳动监察大队。"
)
NEIGHBOURS = (
    ("小榄一家电子厂让我们每天加班到晚上十一点，不给加班费", "匿名"),
    ("在小榄五金厂上班手被机器压伤，老板不给申报工伤", "不匿名", "不留"),
    ("小榄的服装厂三个月不给我们交社保，问就说再等等", "匿名"),
    ("老板拖欠工资两个月，在古镇一家灯饰厂", "匿名"),
    ("房东不退租房押金，在小榄", "匿名"),
)
"""Other tickets, three of them of the same unit, so that the list is a list."""


WANTS_PICTURES = os.environ.get("SAVE_SCREENSHOTS") == "1"


async def picture(page: Page, name: str, *, height: int = 0, whole: bool = False) -> None:
    """Into docs/images, when asked for: as wide as the page is shown, as high as said (0: as it is shown)."""
    if not WANTS_PICTURES:
        return
    shown = page.viewport_size or SCREEN
    await page.mouse.move(0, 0)
    if height:
        await page.set_viewport_size({"width": shown["width"], "height": height})
    await page.wait_for_timeout(800)  # smooth scrolling and the colour of fresh rows come to rest
    IMAGES.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=IMAGES / name, full_page=whole)
    await page.set_viewport_size(shown)


async def open_tickets_of_others(service: Service) -> None:
    async with httpx.AsyncClient(base_url=service.base_url, trust_env=False) as client:
        for person, (story, *answers) in enumerate(NEIGHBOURS):
            for message in ("求助", story, *answers, "确认"):
                body = {"sender": f"neighbour-{person}", "message": message}
                response = await client.post("/webhooks/rest/webhook", json=body)
                response.raise_for_status()
            assert "工单号" in response.text, response.text


async def ask_and_fill_the_form(somebody: Requester) -> None:
    """A question whose answer does not help becomes a form, filled by buttons and by typing."""
    await somebody.come()
    assert "被拖欠工资怎么办" in await somebody.say("老板拖欠工资怎么办")
    assert await somebody.offered() == ["有帮助", "没帮助"]
    await picture(somebody.page, "chat-phone.png")
    assert "没帮上" in await somebody.press("没帮助")
    await somebody.press("找人帮忙")
    await somebody.say(STORY)
    assert "联系方式" in await somebody.press("不匿名")
    summary = await somebody.say(CONTACT)
    for words in ("拖欠工资", "中山市小榄镇", CONTACT, "中山市小榄镇总工会"):
        assert words in summary


async def take_and_answer(cadre: Page, number: str) -> None:
    await cadre.get_by_role("link", name="拖欠").filter(has_text="小榄").first.click()
    await expect(cadre.get_by_text(number).first).to_be_visible()
    await expect(cadre.locator("#live-why")).to_contain_text("中山市小榄镇总工会首接负责")
    await expect(cadre.locator("#live-who")).to_contain_text(CONTACT)
    await cadre.get_by_role("button", name="受理", exact=True).click()
    await expect(cadre.get_by_role("status").first).to_contain_text(f"已受理 {number}")
    act = await open_act(cadre, "answer")
    await act.get_by_label("答复内容").fill(ANSWER)
    await picture(cadre, "desk-ticket.png", height=1260)
    await act.get_by_role("button", name="发送答复").click()
    await expect(cadre.locator("#live-thread")).to_contain_text(ANSWER)


async def rate(somebody: Requester) -> None:
    assert "打个分" in await somebody.press("解决了")
    assert "满意" in await somebody.press("满意")
    assert "谢谢" in await somebody.press("跳过")


async def test_a_question_becomes_a_ticket_and_a_human_answer_and_a_rating(
    visits: Visits, service: Service, desk: SignedInAs
) -> None:
    await open_tickets_of_others(service)
    somebody, cadre = Requester(await visits.new(viewport=PHONE)), await visits.new()
    await ask_and_fill_the_form(somebody)

    await sign_in(cadre, f"cadre.{XIAOLAN}", service.password)
    await expect(cadre.locator("[data-row]")).to_have_count(3)
    await stamp(cadre)
    number = somebody.opened(await somebody.press("确认提交"))
    await picture(somebody.page, "ticket-opened-phone.png")
    row = cadre.locator(f"[data-row={number}]")
    await expect(row).to_contain_text("拖欠工资")
    assert await is_same(cadre), "the list was loaded again instead of being kept fresh"
    await picture(cadre, "desk-list.png")

    await stamp(somebody.page)
    await take_and_answer(cadre, number)
    await somebody.wait_for(ANSWER, side="staff")
    assert await is_same(somebody.page), "the chat was loaded again instead of receiving the answer"
    await expect(somebody.page.locator(".msg-staff .badge").last).to_have_text("真人回复")
    await somebody.page.set_viewport_size(SCREEN)
    await picture(somebody.page, "chat-desktop.png")

    await stamp(cadre)
    await rate(somebody)
    rating = cadre.locator("#live-rating")
    await expect(rating).to_contain_text("已解决")
    await expect(rating).to_contain_text("满意")
    assert await is_same(cadre), "the ticket was loaded again instead of being kept fresh"

    await cadre.get_by_role("link", name="数据").click()
    figures = cadre.get_by_role("row", name="中山市小榄镇总工会")
    await expect(figures.get_by_text("n=1")).to_have_count(2)
    await expect(figures).to_contain_text("100%")
    await expect(figures).to_contain_text("4.0")
    if WANTS_PICTURES:
        admin = await desk("admin")
        await admin.goto("/console/figures")
        await picture(admin, "figures.png", height=520)
    await look_up_the_progress(await visits.new(), somebody)


async def look_up_the_progress(page: Page, somebody: Requester) -> None:
    """A browser that knows nothing but number and code sees the five steps and nothing personal."""
    await page.goto(f"/cases/{somebody.number}")
    await expect(page.locator(".step")).to_have_count(0)
    await page.get_by_label("查询码").fill(somebody.code)
    await page.get_by_role("button", name="查看进度").click()
    await expect(page.get_by_role("heading", name="办理进度")).to_be_visible()
    assert somebody.code not in page.url
    steps = page.locator(".stepper .step-name")
    assert await steps.all_inner_texts() == ["已接收", "核实分析", "协调解决", "已反馈", "请评价"]
    await expect(page.locator(".step.is-done")).to_have_count(5)
    shown = await page.content()
    for private in (CONTACT, STORY, "五金厂", "两个月", ANSWER, somebody.code, "cadre."):
        assert private not in shown, f"the public page shows “{private}”"
    await page.set_viewport_size({"width": 960, "height": 800})
    await picture(page, "case-page.png", whole=True)
