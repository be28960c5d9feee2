"""Every page fits its window: a narrow phone and a wide screen, in Chinese and in English, with the worst content."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser.nasty import ENDLESS, NastyTicket
from tests.browser.people import GUZHEN, Requester, SignedInAs, Visits, open_act

WIDTHS = (320, 1440)
HEIGHT = 700

_LOOK = """() => {
    const root = document.documentElement, found = [];
    if (root.scrollWidth > root.clientWidth) found.push(`the page is ${root.scrollWidth} wide`);
    const overflow = one => getComputedStyle(one).overflowX;
    const scrolls = one => one !== document.body && (/auto|scroll/.test(overflow(one)) || scrolls(one.parentElement));
    const isFolded = one => one.matches(".vh") || one.offsetWidth <= 1 && overflow(one) === "hidden";
    const forEars = [...document.querySelectorAll(".vh, .skip-link, thead")].filter(isFolded);
    for (const one of document.querySelectorAll("body *")) {
        const style = getComputedStyle(one), box = one.getBoundingClientRect();
        const isSeen = box.width > 1 && box.height > 1 && style.visibility !== "hidden";
        if (!isSeen || one.matches("input, textarea, select, svg *, .skip-link")) continue;
        if (forEars.some(hidden => hidden.contains(one))) continue;
        const name = `${one.tagName} ${one.className} ${one.textContent.trim().slice(0, 20)}`;
        const isCut = /hidden|clip/.test(style.overflowX) && one.scrollWidth > one.clientWidth + 1;
        if (isCut && style.textOverflow !== "ellipsis") found.push(`cut off: ${name}`);
        const isOutside = box.right > root.clientWidth + 1 || box.left < -1;
        if (isOutside && !scrolls(one.parentElement)) found.push(`outside (${Math.round(box.right)}): ${name}`);
    }
    return found.slice(0, 5);
}"""


async def assert_fits(page: Page, where: str) -> None:
    """No sideways scrolling, nothing outside the window and nothing cut off, at both widths."""
    problems = []
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": HEIGHT})
        problems += [f"{where} at {width}: {found}" for found in await page.evaluate(_LOOK)]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("language", ["zh_CN", "en"])
async def test_public_pages_fit(visits: Visits, nasty_ticket: NastyTicket, language: str) -> None:
    page = await visits.new(storage_state=nasty_ticket.requester)
    await page.goto(f"/?lang={language}")
    await expect(page.locator("#log .msg").first).to_be_attached()
    await assert_fits(page, "the chat")
    for address in ("/cases", "/no-such-page"):
        await page.goto(address)
        await assert_fits(page, address)
    await page.goto(f"/cases/{nasty_ticket.number}")
    await page.locator("#code").fill(nasty_ticket.code)
    await page.locator("#code").press("Enter")
    await expect(page.locator(".stepper")).to_be_visible()
    await assert_fits(page, "the progress page")


async def test_the_chat_of_a_first_visit_fits_and_so_do_endless_messages_and_failures(somebody: Requester) -> None:
    page = somebody.page
    await assert_fits(page, "the welcome")
    await somebody.say(ENDLESS)
    await somebody.say("老板拖欠工资怎么办")
    await page.locator(".msg-person summary").first.click()
    await assert_fits(page, "an unfolded message")
    await page.route("**/chat/messages", lambda route: route.abort())
    await somebody.box.fill(ENDLESS)
    await somebody.box.press("Enter")
    await expect(page.locator(".msg-person.is-failed")).to_be_visible()
    await somebody.box.fill(ENDLESS)
    await assert_fits(page, "a failed message and a full input")


@pytest.mark.parametrize("language", ["zh_CN", "en"])
async def test_desk_pages_fit(desk: SignedInAs, nasty_ticket: NastyTicket, language: str) -> None:
    admin = await desk("admin")
    ticket = f"/console/tickets/{nasty_ticket.number}"
    for address in (
        "/console/?view=all",
        ticket,
        "/console/figures",
        "/console/users",
        "/console/units",
        "/console/misses",
        "/console/password",
        "/console/tickets/GD9912310001",
    ):
        await admin.goto(f"{address}{'&' if '?' in address else '?'}lang={language}")
        await admin.evaluate("document.querySelectorAll('main details').forEach(fold => { fold.open = true })")
        await assert_fits(admin, address)


@pytest.mark.parametrize("language", ["zh_CN", "en"])
async def test_pages_of_a_cadre_fit(visits: Visits, desk: SignedInAs, nasty_ticket: NastyTicket, language: str) -> None:
    stranger, cadre = await visits.new(), await desk(f"cadre.{GUZHEN}")
    await stranger.goto(f"/console/sign-in?lang={language}")
    await assert_fits(stranger, "sign-in")
    await cadre.goto(f"/console/?q={'W' * 100}&lang={language}")
    await assert_fits(cadre, "an empty list")
    await cadre.goto(f"/console/tickets/{nasty_ticket.number}")
    for act in ("answer", "ask", "note", "transfer", "close"):
        form = await open_act(cadre, act)
        await form.locator("textarea").fill(ENDLESS)
    await cadre.locator("details.account summary").click()
    await assert_fits(cadre, "all acts at once")
