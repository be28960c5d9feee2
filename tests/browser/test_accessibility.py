"""What a screen reader, a keyboard and tired eyes need from every page."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.nasty import NastyTicket
from tests.browser.people import GUZHEN, Requester, SignedInAs

ENOUGH_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3 (AA)."""
CONTROLS = {"button", "checkbox", "combobox", "link", "radio", "searchbox", "textbox", "DisclosureTriangle"}

_HEADINGS = """() => [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")]
    .filter(one => one.checkVisibility()).map(one => [Number(one.tagName[1]), one.textContent.trim()])"""

_IS_SHOWN = """scheme => {
    const background = getComputedStyle(document.body).backgroundColor.match(/\\d+/);
    return matchMedia(`(prefers-color-scheme: ${scheme})`).matches && background < 128 === (scheme === "dark");
}"""

# The text colour of every element with words of its own against the nearest painted backgrounds behind it.
_CONTRAST = """() => {
    const parse = css => {
        const [red, green, blue, alpha] = css.match(/[\\d.]+/g).map(Number);
        return [red, green, blue, alpha ?? 1];
    };
    const over = (top, below) => top.slice(0, 3).map((value, i) => value * top[3] + below[i] * (1 - top[3]));
    const behind = one => {
        const layers = [];
        for (let at = one; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
        const dark = matchMedia("(prefers-color-scheme: dark)").matches;
        return layers.reverse().reduce((below, layer) => over(layer, below), dark ? [18, 18, 18] : [255, 255, 255]);
    };
    const light = rgb => rgb.map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
    const worst = [];
    for (const one of document.querySelectorAll("body *")) {
        const says = [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
        const isHidden = !one.checkVisibility({opacityProperty: true}) || one.closest(".vh, [disabled]");
        if (!says || isHidden) continue;
        const back = behind(one), front = over(parse(getComputedStyle(one).color), back);
        const [low, high] = [light(front), light(back)].sort((a, b) => a - b);
        const name = `${one.tagName}.${one.className}: ${one.textContent.trim().slice(0, 20)}`;
        worst.push([(high + .05) / (low + .05), name]);
    }
    return worst.sort((a, b) => a[0] - b[0]);
}"""


async def names_of_controls(page: Page) -> list[tuple[str, str]]:
    """Role and accessible name of everything that can be operated, as Chromium tells assistive technology."""
    session = await page.context.new_cdp_session(page)
    tree: dict[str, Any] = await session.send("Accessibility.getFullAXTree")
    await session.detach()
    return [
        (node["role"]["value"], node.get("name", {}).get("value", "").strip())
        for node in tree["nodes"]
        if not node.get("ignored") and node["role"]["value"] in CONTROLS
    ]


async def visible_focus(page: Page, steps: int) -> list[str]:
    """Press Tab so often; which focused elements show no outline."""
    invisible = []
    for _ in range(steps):
        await page.keyboard.press("Tab")
        problem = await page.evaluate(
            """() => {
                const one = document.activeElement, style = getComputedStyle(one);
                const isSeen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
                if (one === document.body || isSeen) return "";
                return `${one.tagName}.${one.className}: ${one.textContent.trim().slice(0, 20)}`;
            }"""
        )
        if problem:
            invisible.append(problem)
    return invisible


async def assert_accessible(page: Page, where: str) -> None:
    controls = await names_of_controls(page)
    assert controls, f"{where}: nothing to operate"
    assert [role for role, name in controls if not name] == [], f"{where}: without a name, among {controls}"
    without_alt = await page.evaluate("document.querySelectorAll('img:not([alt])').length")
    assert without_alt == 0, f"{where}: {without_alt} images without alt"
    assert await page.evaluate("document.documentElement.lang"), where
    assert await page.title(), where
    headings = await page.evaluate(_HEADINGS)
    levels = [level for level, _ in headings]
    assert levels.count(1) == 1, f"{where}: {headings}"
    skipped = [pair for pair in pairwise(levels) if pair[1] > pair[0] + 1]
    assert not skipped, f"{where}: levels are skipped in {headings}"
    assert await page.locator("main").count() == 1, where
    assert (
        await page.evaluate("new Set([...document.querySelectorAll('[id]')].map(one => one.id)).size")
        == await page.locator("[id]").count()
    ), f"{where}: an id is given twice"


async def assert_readable(page: Page, where: str) -> None:
    """Every text stands out from what is behind it, in light and in dark."""
    faint: list[str] = []
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        await page.wait_for_function(_IS_SHOWN, arg=scheme)
        for _ in range(20):  # the colours of buttons change in a tenth of a second
            faint = await faint_texts(page, where)
            if not faint:
                break
            await page.wait_for_timeout(100)
        assert not faint, f"{where} ({scheme}): {faint[:5]}"
    await page.emulate_media(color_scheme="light")


async def faint_texts(page: Page, where: str) -> list[str]:
    measured = await page.evaluate(_CONTRAST)
    assert len(measured) > 5, f"{where}: measured {measured}"
    return [f"{ratio:.2f} {what}" for ratio, what in measured if ratio < ENOUGH_CONTRAST]


async def test_the_chat_can_be_heard_operated_and_read(somebody: Requester) -> None:
    await somebody.say("怎么入团？")
    await assert_accessible(somebody.page, "the chat")
    await assert_readable(somebody.page, "the chat")
    assert await visible_focus(somebody.page, 20) == []


async def test_a_failed_message_is_readable_and_can_be_operated(somebody: Requester) -> None:
    await somebody.page.route("**/chat/messages", lambda route: route.abort())
    await somebody.box.fill("没发出去的话")
    await somebody.box.press("Enter")
    await expect(somebody.page.locator(".msg-person.is-failed")).to_be_visible()
    await assert_accessible(somebody.page, "a failed message")
    await assert_readable(somebody.page, "a failed message")


async def test_the_progress_pages_can_be_heard_operated_and_read(page: Page, nasty_ticket: NastyTicket) -> None:
    await page.goto("/cases")
    await assert_accessible(page, "the look-up")
    await assert_readable(page, "the look-up")
    assert await visible_focus(page, 10) == []
    await page.get_by_label("工单号").fill(nasty_ticket.number)
    await page.get_by_label("查询码").fill(nasty_ticket.code)
    await page.get_by_role("button", name="查看进度").click()
    await expect(page.locator(".stepper")).to_be_visible()
    await expect(page.locator(".step[aria-current=step]")).to_have_count(1)
    await assert_accessible(page, "the progress")
    await assert_readable(page, "the progress")
    assert await visible_focus(page, 10) == []


async def test_the_sign_in_page_can_be_heard_operated_and_read(page: Page) -> None:
    await page.goto("/console/sign-in")
    await assert_accessible(page, "sign-in")
    await assert_readable(page, "sign-in")
    assert await visible_focus(page, 10) == []


async def test_the_pages_of_a_cadre_can_be_heard_operated_and_read(desk: SignedInAs, nasty_ticket: NastyTicket) -> None:
    page = await desk(f"cadre.{GUZHEN}")
    for address in ("/console/", f"/console/tickets/{nasty_ticket.number}", "/console/figures", "/console/password"):
        await page.goto(address)
        await page.evaluate("document.querySelectorAll('main details').forEach(fold => { fold.open = true })")
        await assert_accessible(page, address)
        await assert_readable(page, address)
        assert await visible_focus(page, 24) == [], address


@pytest.mark.parametrize("address", ["/console/users", "/console/units", "/console/misses"])
async def test_the_pages_of_the_admin_can_be_heard_operated_and_read(desk: SignedInAs, address: str) -> None:
    page = await desk("admin")
    await page.goto(address)
    await page.evaluate("document.querySelectorAll('main details').forEach(fold => { fold.open = true })")
    await assert_accessible(page, address)
    await assert_readable(page, address)
    assert await visible_focus(page, 16) == []


async def test_placeholders_are_readable_too(page: Page) -> None:
    await page.goto("/")
    colours = await page.locator("#text").evaluate(
        "box => [getComputedStyle(box, '::placeholder').color, getComputedStyle(box).backgroundColor]"
    )
    front, back = ([int(number) for number in colour[4:-1].split(",")] for colour in colours)
    assert contrast(front, back) >= ENOUGH_CONTRAST, colours


def contrast(front: list[int], back: list[int]) -> float:
    """WCAG's contrast ratio of two opaque colours."""

    def luminance(colour: list[int]) -> float:
        parts = [value / 255 for value in colour]
        linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(front), luminance(back)))
    return (high + 0.05) / (low + 0.05)
